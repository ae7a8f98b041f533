import Resources
import Testing

@testable import Plugins

@Suite("URLs that plugins fetch")
struct FetchAddressTests {
  private func parts(_ text: String) -> [String]? {
    guard let address = try? FetchAddress(text, option: "url") else { return nil }
    return ["\(address.isHTTPS)", address.host, "\(address.port)", address.authority, address.target]
  }

  @Test func partsAreFound() {
    #expect(parts("https://a.example/keys?x=1") == ["true", "a.example", "443", "a.example", "/keys?x=1"])
    #expect(parts("HTTP://a.example:81") == ["false", "a.example", "81", "a.example:81", "/"])
    #expect(parts("http://[::1]:8080/a") == ["false", "::1", "8080", "[::1]:8080", "/a"])
    #expect(parts("http://127.0.0.1?a") == ["false", "127.0.0.1", "80", "127.0.0.1", "/?a"])
  }

  @Test(arguments: [
    "", "a", "/a", "ftp://a/", "https://", "https:///a", "https://a b/", "https://a/\n", "https://user@a/",
    "https://a:0/",
    "https://a:x/", "https://a:99999/", "https://a:/", "https://a/#b", "https://ä/", "https://a\r\nX: 1/",
    "https://a_b:1:2/",
  ])
  func anythingElseIsRefused(_ text: String) { #expect(parts(text) == nil) }
}
