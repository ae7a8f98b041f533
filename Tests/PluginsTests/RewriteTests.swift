import Resources
import Testing

@testable import Plugins

@Suite struct RewriteTests {
  private func target(_ text: String, _ change: (inout RequestTargetText) -> Void) -> String {
    var target = RequestTargetText(Array(text.utf8))
    change(&target)
    return String(decoding: target.text, as: UTF8.self)
  }

  private func replaced(_ text: String, by path: String) -> String {
    target(text) { $0.replacePath(by: Array(path.utf8)) }
  }

  @Test func theQueryGoesOn() {
    #expect(replaced("/a", by: "/b") == "/b")
    #expect(replaced("/a?x", by: "/b") == "/b?x")
    #expect(replaced("/a?", by: "/b") == "/b?")
    #expect(replaced("/a?x", by: "/b?y=1") == "/b?y=1&x")
    #expect(replaced("/a?", by: "/b?y") == "/b?y")
    #expect(replaced("/a?x?y", by: "/b?") == "/b?x?y")
    #expect(replaced("/a", by: "b") == "/b")
    #expect(replaced("/a", by: "") == "/")
  }

  @Test func parametersAreFoundByTheirDecodedNames() {
    func removed(_ text: String, _ names: String...) -> String {
      target(text) { $0.removeParameters(names.map { Array($0.utf8) }) }
    }
    #expect(removed("/?a=1&b=2&a=3", "a") == "/?b=2")
    #expect(removed("/?%61=1&A=2", "a") == "/?A=2")
    #expect(removed("/?a", "a") == "/")
    #expect(removed("/?%zz=1&%=2&%4=3", "%zz", "%4") == "/?%=2")
    #expect(removed("/", "a") == "/")
    #expect(target("/?") { $0.addParameter([0x61], []) } == "/?a=")
  }

  @Test func pathsAreBroughtToOneForm() {
    func isPath(_ text: String) -> Bool {
      var target = RequestTargetText(Array(text.utf8))
      return target.normalisePath()
    }
    #expect(target("//a/../b%7e?c") { _ = $0.normalisePath() } == "/b~?c")
    #expect(!isPath("/%2") && !isPath("/../a") && !isPath("/a b") && !isPath("/%00") && !isPath("/\u{1}"))
  }

  private func checks(_ uri: String, groups: Int? = 9) -> Bool {
    guard let template = try? TextTemplate(uri, option: "uri", groups: groups) else { return false }
    return (try? RedirectAddress.check(template)) != nil
  }

  @Test func clientsDoNotDecideWhereARedirectLeads() {
    #expect(
      checks("/a$1") && checks("$uri") && checks("$request_uri") && checks("https://a")
        && checks("http://a/$1"))
    #expect(checks("$scheme://$host$uri") && checks("https://a?$1") && checks("https://www.$host:81/$arg_a"))
    #expect(
      !checks("https://$1") && !checks("https://a$1") && !checks("https://a$http_x/")
        && !checks("https://a:$1/"))
    #expect(
      !checks("//a") && !checks("$1") && !checks("$http_host/") && !checks("javascript:a")
        && !checks("$scheme:$1"))
    #expect(!checks("https://") && !checks("https:///a") && !checks("https://?a") && !checks(""))
  }

  @Test func originsAreWrittenAsBrowsersSendThem() throws {
    func origin(_ text: String) -> String? {
      (try? OriginText.read(text, option: "o")).map { String(decoding: $0, as: UTF8.self) }
    }
    #expect(origin("https://App.Example.com") == "https://app.example.com")
    #expect(origin("http://localhost:3000") == "http://localhost:3000")
    #expect(origin("null") == "null" && origin("chrome-extension://abc") == "chrome-extension://abc")
    for text in [
      "", "a", "https://", "https:a", "https://a/", "https://a/b", "https://a?b", "https://u@a",
      "https://a:443",
      "http://a:80", "https://*.a", "https://a b", "https://a,https://b", "//a",
    ] {
      #expect(origin(text) == nil, "\(text)")
    }
  }
}
