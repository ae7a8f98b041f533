import Testing

@testable import ControlPlane

@Suite struct GRPCHealthTests {
  @Test func writesTheRequest() {
    #expect(GRPCHealth.request(for: "") == [0, 0, 0, 0, 0])
    #expect(GRPCHealth.request(for: "a.B") == [0, 0, 0, 0, 5, 0x0A, 3] + Array("a.B".utf8))
    let long = String(repeating: "x", count: 300)
    #expect(GRPCHealth.request(for: long) == [0, 0, 0, 1, 47, 0x0A, 0xAC, 0x02] + Array(long.utf8))
  }

  @Test func writesTheDeadline() {
    #expect(GRPCHealth.timeoutText(.seconds(2)) == "2000m")
    #expect(GRPCHealth.timeoutText(.microseconds(10)) == "1m")
    #expect(GRPCHealth.timeoutText(.seconds(30 * 86_400)) == "2592000S")
  }

  @Test(
    arguments: [
      ([0, 0, 0, 0, 2, 8, 1], .success),
      ([0, 0, 0, 0, 0], .failure("UNKNOWN")),
      ([0, 0, 0, 0, 2, 8, 2], .failure("NOT_SERVING")),
      ([0, 0, 0, 0, 2, 8, 3], .failure("SERVICE_UNKNOWN")),
      ([0, 0, 0, 0, 2, 8, 9], .failure("serving status 9")),
      // Fields that are not known: one of each wire type, and an unknown enumeration in two bytes.
      (
        [
          0, 0, 0, 0, 23, 0x12, 2, 0, 0, 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3, 4, 0x30, 0xFF, 0x01, 8,
          1,
        ],
        .success
      ),
    ] as [([UInt8], HealthProbe.Outcome)])
  func readsTheAnswer(content: [UInt8], outcome: HealthProbe.Outcome) {
    #expect(GRPCHealth.judge(status: 0, content: content) == outcome)
  }

  @Test func refusesWhatIsNoAnswer() {
    let malformed = HealthProbe.Outcome.failure("the response is not a HealthCheckResponse")
    for content: [UInt8] in [
      [], [0, 0, 0, 0], [1, 0, 0, 0, 2, 8, 1], [0, 0, 0, 0, 3, 8, 1], [0, 0, 0, 0, 1, 8, 1],
      [0, 0, 0, 0, 1, 8], [0, 0, 0, 0, 2, 0x0A, 9], [0, 0, 0, 0, 2, 0x0D, 1], [0, 0, 0, 0, 2, 0x09, 1],
      [0, 0, 0, 0, 2, 0, 1], [0, 0, 0, 0, 2, 0x0F, 1],
      [0, 0, 0, 0, 11, 8] + [UInt8](repeating: 0x80, count: 10),
      [0, 0, 0, 0, 12, 0x0A] + [UInt8](repeating: 0xFF, count: 9) + [0x01, 0],
    ] {
      #expect(GRPCHealth.judge(status: 0, content: content) == malformed, "\(content)")
    }
    #expect(GRPCHealth.judge(status: nil, content: []) == .failure("the response has no grpc-status"))
    #expect(GRPCHealth.judge(status: 5, content: []) == .failure("gRPC status 5 NOT_FOUND"))
    #expect(GRPCHealth.judge(status: 99, content: []) == .failure("gRPC status 99"))
  }
}
