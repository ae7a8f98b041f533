import Testing

@testable import ControlPlane

@Suite struct OCSPResponseTests {
  @Test func tellsAResponseFromWhatIsNone() {
    #expect(OCSPResponse.problem(with: [0x30, 0x03, 0x0A, 0x01, 0x00]) == nil)
    let long: [UInt8] = [0x30, 0x81, 0x80, 0x0A, 0x01, 0x00] + [UInt8](repeating: 0, count: 125)
    #expect(OCSPResponse.problem(with: long) == nil)
    #expect(OCSPResponse.problem(with: [0x30, 0x03, 0x0A, 0x01, 0x06])?.contains("error 6") == true)
    for bytes: [UInt8] in [
      [], [0x30], [0x30, 0x03, 0x0A, 0x01], [0x31, 0x03, 0x0A, 0x01, 0x00], [0x30, 0x02, 0x0A, 0x01],
      [0x30, 0x84, 1, 1, 1, 1], [0x30, 0x80, 0x0A, 0x01, 0x00], Array("-----BEGIN".utf8),
    ] {
      #expect(OCSPResponse.problem(with: bytes)?.contains("DER") == true, "\(bytes)")
    }
  }
}
