import HTTPCodec
import Testing

@testable import DataPlane

@Suite struct FieldNamesTests {
  private func fields(_ text: String) -> [String] {
    let lines = Array(text.utf8)
    var cursor = LineCursor()
    var found: [String] = []
    while let field = cursor.next(in: lines.span) {
      let name = String(decoding: lines[field.name.range], as: UTF8.self)
      found.append("\(name)=\(String(decoding: lines[field.value.range], as: UTF8.self))")
    }
    #expect(cursor.position == lines.count)
    return found
  }

  @Test func linesAreGoneThrough() {
    #expect(fields("") == [])
    #expect(fields("A: 1\r\nB: \r\nC: d: e\r\n") == ["A=1", "B=", "C=d: e"])
  }

  /// Not what the gateway writes, but nothing that must not end either.
  @Test(arguments: ["A", "A:", "A: ", "A: 1", "A: 1\r", "\r\n", ":", "A: 1\r\nB", "\r\n\r\n", "A:1\r\n"])
  func whatIsNoLineEndsToo(text: String) {
    #expect(fields(text).count <= 3)
  }

  @Test func namesAreThoseAndWhatServersTakeForThose() {
    let names = FieldNames(["X-User", "Set-Cookie"])
    func find(_ text: String) -> (Bool, Bool) {
      let bytes = Array(text.utf8)
      let range = ByteRange(start: 0, count: bytes.count)
      return (names.contains(range, in: bytes.span), names.mayMean(range, in: bytes.span))
    }
    #expect(find("x-user") == (true, true))
    #expect(find("X-USER") == (true, true))
    #expect(find("x_user") == (false, true))
    #expect(find("x-users") == (false, false))
    #expect(find("") == (false, false))
    #expect(FieldNames([]).isEmpty)
  }

  @Test func fieldsOfAResponseAreTakenByName() {
    let response = SideResponse(
      status: 200, lines: Array("Set-Cookie: a=1\r\nX-Other: b\r\nset-cookie: c=2\r\n".utf8), content: [],
      isWhole: true)
    #expect(response.value(of: Array("set-cookie".utf8)) == Array("a=1".utf8))
    #expect(response.value(of: Array("x-none".utf8)) == nil)
    #expect(
      response.lines(of: FieldNames(["Set-Cookie"])) == Array("Set-Cookie: a=1\r\nset-cookie: c=2\r\n".utf8))
    #expect(response.lines(of: FieldNames([])) == [])
  }
}
