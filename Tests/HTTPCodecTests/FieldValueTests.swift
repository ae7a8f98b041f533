import HTTPCodec
import Testing

@Suite("Field values")
struct FieldValueTests {
  /// The text between two bars, as a range of the whole.
  private func marked(_ text: String) -> ([UInt8], ByteRange) {
    let parts = text.split(separator: "|", omittingEmptySubsequences: false)
    return (bytes(parts.joined()), ByteRange(start: parts[0].utf8.count, count: parts[1].utf8.count))
  }

  @Test("Names of any length differ where one byte does, and not where only its case does", arguments: 0...40)
  func lengths(count: Int) {
    let name = (0..<count).map { UInt8(ascii: "a") + UInt8($0 % 26) }
    // Right at the beginning and the end, and within more.
    for (before, behind) in [(0, 0), (3, 0), (0, 9), (8, 8)] {
      let edges = (bytes(String(repeating: "x", count: before)), bytes(String(repeating: "x", count: behind)))
      let range = ByteRange(start: before, count: count)
      #expect((edges.0 + name + edges.1).equalsIgnoringCase(range, lowercase: name))
      for position in name.indices {
        var other = name
        other[position] ^= 0x20
        #expect((edges.0 + other + edges.1).equalsIgnoringCase(range, lowercase: name))
        other[position] = UInt8(ascii: "-")
        #expect(!(edges.0 + other + edges.1).equalsIgnoringCase(range, lowercase: name))
      }
    }
  }

  @Test("A byte is found where it stands first from an index on")
  func firstIndex() {
    for count in 0...20 {
      for position in 0..<count {
        var text = [UInt8](repeating: 0xAE, count: count)
        text[position] = UInt8(ascii: ".")
        text[count - 1] = UInt8(ascii: ".")
        #expect(text.span.firstIndex(of: UInt8(ascii: "."), from: 0) == position)
        #expect(
          text.span.firstIndex(of: UInt8(ascii: "."), from: position + 1)
            == (position < count - 1 ? count - 1 : nil))
      }
      #expect([UInt8](repeating: 0x2F, count: count).span.firstIndex(of: UInt8(ascii: "."), from: 0) == nil)
    }
  }

  @Test("Text is compared whatever its case, within its range only")
  func equality() {
    let (input, range) = marked("xx|Keep-ALIVE|yy")
    #expect(input.equalsIgnoringCase(range, lowercase: "keep-alive"))
    #expect(input.equalsIgnoringCase(range, lowercase: bytes("keep-alive")))
    for other in ["keep-aliv", "keep-alivey", "keep_alive", "", "meep-alive"] {
      #expect(!input.equalsIgnoringCase(range, lowercase: other))
      #expect(!input.equalsIgnoringCase(range, lowercase: bytes(other)))
    }
    #expect(input.equals(range, bytes("Keep-ALIVE")))
    #expect(!input.equals(range, bytes("keep-alive")))
    // The bit that tells cases apart tells other characters apart.
    let (signs, all) = marked("|[\\]^_@\r|")
    #expect(!signs.equalsIgnoringCase(all, lowercase: "{|}~\u{7F}`-"))
    #expect(signs.equalIgnoringCase(all, all))
    let pair = bytes("AbC-aBc-abd")
    #expect(pair.equalIgnoringCase(ByteRange(start: 0, count: 3), ByteRange(start: 4, count: 3)))
    #expect(!pair.equalIgnoringCase(ByteRange(start: 0, count: 3), ByteRange(start: 8, count: 3)))
    #expect(!pair.equalIgnoringCase(ByteRange(start: 0, count: 3), ByteRange(start: 4, count: 2)))
  }

  @Test(
    "RFC 9110 §5.6.1: members of a list are found, empty ones are passed over",
    arguments: [
      ("a", ["a"]), ("a,b", ["a", "b"]), (" a ,\tb c , ", ["a", "b c"]), ("", []), (",", []),
      (", ,a,,", ["a"]),
    ])
  func lists(_ value: String, _ expected: [String]) {
    let (input, range) = marked("z,|\(value)|,z")
    var cursor = ListCursor(range)
    var members: [String] = []
    while let member = cursor.next(in: input.span) { members.append(text(input, member)) }
    #expect(members == expected)
    #expect(cursor.sawEmptyMember == (value != "a" && value != "a,b"))
  }

  @Test(
    "RFC 6265 §4.2.1: a cookie is found by its exact name, the first of several",
    arguments: [
      ("sid=1", "1"), ("a=b; sid=1; c=d", "1"), ("a=b;sid=1;sid=2", "1"), ("xsid=2; sid=1", "1"),
      ("sid=", ""),
      ("sid=\"1\"", "1"), ("sid=a=b", "a=b"), ("sid=\"", "\""), (" sid=1 ", "1"), ("a=sid=2", nil),
      ("SID=1", nil),
      ("sid", nil), ("sidx=1", nil), ("", nil), (";;", nil), ("sid =1", nil), ("b=x; =; sid=y", "y"),
    ] as [(String, String?)])
  func cookies(_ value: String, _ expected: String?) {
    let (input, range) = marked("sid=out;|\(value)|;sid=out")
    #expect(input.cookieValue(named: "sid", in: range) == expected)
  }

  @Test(
    "A query parameter is found by its exact bytes, the first of several",
    arguments: [
      ("v=2", "2"), ("a=b&v=2&v=3", "2"), ("v", ""), ("v&v=2", ""), ("v=", ""), ("v=%32", "%32"),
      ("v=a=b", "a=b"),
      ("vv=1&v=2", "2"), ("%76=1", nil), ("V=1", nil), ("", nil), ("&&", nil), ("w=v", nil), ("a=1;v=2", nil),
    ] as [(String, String?)])
  func queryParameters(_ query: String, _ expected: String?) {
    let (input, range) = marked("v=out&|\(query)|&v=out")
    #expect(input.queryValue(named: "v", in: range) == expected)
  }

  @Test("Decimal and hexadecimal numbers are digits and nothing else")
  func numbers() {
    let decimals: [(String, UInt64?)] = [
      ("0", 0), ("42", 42), ("9999999999999999999", 9_999_999_999_999_999_999), ("10000000000000000000", nil),
      ("", nil), ("-1", nil), ("+1", nil), (" 1", nil), ("1a", nil), ("/", nil), (":", nil),
    ]
    for (value, expected) in decimals {
      let (input, range) = marked("1|\(value)|1")
      #expect(input.decimal(in: range) == expected)
    }
    let hexadecimals: [(String, UInt64?)] = [
      ("0", 0), ("fF", 255), ("ffffffffffffffff", .max), ("0ffffffffffffffff", nil), ("", nil), ("g", nil),
      ("0x1", nil),
      ("`", nil), ("@", nil), ("G", nil),
    ]
    for (value, expected) in hexadecimals {
      let (input, range) = marked("1|\(value)|1")
      #expect(input.hexadecimal(in: range) == expected)
    }
  }

  @Test("White space around a value is trimmed, within its range only")
  func trimming() {
    let (input, range) = marked(" |\t a b \t| ")
    #expect(text(input, input.trimmed(range)) == "a b")
    let (blank, all) = marked("a| \t |b")
    #expect(blank.trimmed(all).isEmpty)
    let slice = input.span.bytes(in: range)
    #expect(slice.count == 7)
  }

  @Test("RFC 9110 §5.6.2: a token has at least one character, and token characters only")
  func tokens() {
    for (value, expected) in [("a-Z0!", true), ("", false), ("a b", false), ("a,", false), ("\u{80}", false)]
    {
      let input = bytes(value)
      #expect(input.isToken(ByteRange(start: 0, count: input.count)) == expected)
    }
  }

  @Test("RFC 9110 §9.2.2: only idempotent methods may be sent again")
  func idempotence() {
    let idempotent = HTTPMethod.allCases.filter(\.isIdempotent)
    #expect(idempotent == [.get, .head, .put, .delete, .options, .trace])
  }
}
