import HTTPCodec
import Testing

func normalised(_ path: String) -> Outcome<String> {
  var output = bytes("left alone")
  do {
    let changed = try PathNormaliser.normalise(bytes(path).span, into: &output)
    if !changed { #expect(output == bytes("left alone")) }
    return .accepted(changed ? text(output, ByteRange(start: 0, count: output.count)) : path)
  } catch { return .refused(error) }
}

@Suite("Path normalisation")
struct PathTests {
  @Test(
    "A canonical path is left alone",
    arguments: [
      "/", "/a", "/a/", "/a/b.c", "/.a", "/..a", "/a..", "/...", "/a./b", "/.well-known/x",
      "/~u/-_.!$&'()*+,;=:@",
      "/%2F", "/%5C", "/%20%C3%A9", "/%25", "/%252e", "/%3F%23", "/a;b=c/d", "/..;/x", "/a%2F..%2Fb",
    ])
  func canonical(_ path: String) {
    #expect(normalised(path) == .accepted(path))
  }

  @Test(
    "RFC 3986 §6.2.2: a path is brought to its canonical form",
    arguments: [
      ("/%61%41%39%2D%2e%5F%7E", "/aA9-._~"), ("/%2f", "/%2F"), ("/%c3%a9", "/%C3%A9"), ("/%5c", "/%5C"),
      ("/a\\b", "/a%5Cb"), ("/\"<>[]^`{|}", "/%22%3C%3E%5B%5D%5E%60%7B%7C%7D"), ("/%21", "/%21"),
      ("/%2b", "/%2B"),
      ("//", "/"), ("///a//b///", "/a/b/"), ("/.", "/"), ("/./", "/"), ("/a/.", "/a/"), ("/a/./b", "/a/b"),
      ("/a/..", "/"), ("/a/../", "/"), ("/a/b/..", "/a/"), ("/a/b/../c", "/a/c"), ("/a/b/../../c", "/c"),
      ("/a/b/c/./../../g", "/a/g"), ("/a//../b", "/b"), ("/a/%2e%2E/b", "/b"), ("/a/.%2e/b", "/b"),
      ("/%2e/a", "/a"),
      ("/a/%2e", "/a/"), ("/%252e%252E", "/%252e%252E"), ("/a/..//b", "/b"), ("/x%2f../y", "/x%2F../y"),
      ("/a/.../%62", "/a/.../b"), ("/a/..b/%63", "/a/..b/c"),
    ])
  func normalisation(_ path: String, _ expected: String) {
    #expect(normalised(path) == .accepted(expected))
    #expect(normalised(expected) == .accepted(expected))
  }

  @Test(
    "RFC 3986 §5.2.4: dot segments above the root are refused with 400",
    arguments: [
      "/..", "/../", "/../a", "/a/../..", "/a/../../b", "/%2e%2e", "/%2E./a", "//../a", "/./..", "/a//../..",
    ])
  func aboveRoot(_ path: String) {
    #expect(normalised(path).error == .pathAboveRoot)
    #expect(HTTP1Error.pathAboveRoot.status == 400)
  }

  @Test(
    "RFC 3986 §2.1: a malformed percent-encoding is refused with 400",
    arguments: ["/%", "/%2", "/%zz", "/%2g", "/%g2", "/a%", "/%%41", "//%", "/%u0041", "/%-1", "/a/../%4"])
  func malformedEncoding(_ path: String) {
    #expect(normalised(path).error == .invalidPercentEncoding)
    #expect(HTTP1Error.invalidPercentEncoding.status == 400)
  }

  @Test("An encoded NUL is refused with 400", arguments: ["/%00", "/a%00b", "//%00", "/a/../%00"])
  func null(_ path: String) {
    #expect(normalised(path).error == .nullInPath)
    #expect(HTTP1Error.nullInPath.status == 400)
  }

  @Test(
    "A path that does not begin with a slash, or holds what a target must not, is refused with 400",
    arguments: ["", "a", "%2Fa", "*", "/a b", "/\u{0}", "/\u{7F}", "/\u{E9}", "/a?b", "/a#b", "/a\t"])
  func invalid(_ path: String) {
    #expect(normalised(path).error == .invalidPath)
    #expect(HTTP1Error.invalidPath.status == 400)
  }
}
