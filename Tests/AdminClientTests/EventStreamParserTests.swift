import Testing

@testable import AdminClient

@Suite struct EventStreamParserTests {
  private let text =
    "retry: 5\n\nid: 1\nevent: change\ndata: {\"a\":\ndata:  1}\n\n:\n\nid: 2\r\ndata: x\r\n\r\ndata: y\r\r"

  @Test func piecesOfAnySizeGiveTheSameEvents() throws {
    let bytes = Array(text.utf8)
    for size in 1...bytes.count {
      var parser = EventStreamParser()
      var events: [EventStreamParser.Event] = []
      for start in stride(from: 0, to: bytes.count, by: size) {
        events += try parser.feed(Array(bytes[start..<min(start + size, bytes.count)]))
      }
      #expect(
        events == [
          .init(name: "change", id: "1", data: "{\"a\":\n 1}"), .init(name: "", id: "2", data: "x"),
          .init(name: "", id: "2", data: "y"),
        ], "pieces of \(size)")
    }
  }

  @Test func eventThatNeverEndsIsRefused() {
    var parser = EventStreamParser()
    let piece = Array(repeating: UInt8(ascii: "x"), count: 1 << 16)
    #expect(throws: ClientFailure.self) {
      for _ in 0...EventStreamParser.eventBytesMax / piece.count { _ = try parser.feed(piece) }
    }
    var lines = EventStreamParser()
    let line = Array(("data: " + String(repeating: "x", count: 1_000) + "\n").utf8)
    #expect(throws: ClientFailure.self) {
      for _ in 0...EventStreamParser.eventBytesMax / 1_000 { _ = try lines.feed(line) }
    }
  }
}
