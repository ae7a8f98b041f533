import Resources
import Testing

@testable import Plugins

@Suite("Paths that need a login, and paths that need none")
struct LoginPathsTests {
  private func paths(public open: [String] = [], login: [String]? = nil) throws -> LoginPaths {
    var values = OptionValues(LoginPaths.options)
    values.set("publicPaths", .list(open.map(place)))
    if let login { values.set("loginPaths", .list(login.map(place))) }
    return try LoginPaths(values)
  }

  /// `=` in front: the path alone.
  private func place(_ text: String) -> OptionValue {
    var values = OptionValues([PluginOption("prefix", .text(""), ""), PluginOption("exact", .text(""), "")])
    values.set(
      text.hasPrefix("=") ? "exact" : "prefix", .text(text.hasPrefix("=") ? String(text.dropFirst()) : text))
    return .object(values)
  }

  private func open(_ paths: LoginPaths, _ candidates: [String]) -> [String] {
    candidates.filter { !paths.needLogin(Array($0.utf8).span) }
  }

  @Test func withoutListsEverythingNeedsOne() throws {
    #expect(open(try paths(), ["/", "/a"]) == [])
  }

  @Test func prefixesAreOfWholeSegments() throws {
    let found = open(
      try paths(public: ["/a", "/b/"]), ["/", "/a", "/a/x", "/ab", "/b", "/b/", "/b/x", "/A"])
    #expect(found == ["/a", "/a/x", "/b/", "/b/x"])
  }

  @Test func exactPathsAreThemselves() throws {
    #expect(open(try paths(public: ["=/", "=/a"]), ["/", "/a", "/a/", "/a/x"]) == ["/", "/a"])
  }

  @Test func theLongestCounts() throws {
    let both = try paths(public: ["/a", "/a/b/c"], login: ["/a/b", "=/a/b/c/d"])
    #expect(
      open(both, ["/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a/b/c/d/e", "/x"]) == [
        "/a", "/a/b/c", "/a/b/c/d/e", "/x",
      ])
  }

  @Test func pathsThatServicesMayReadOtherwiseNeedOne() throws {
    let paths = try paths(public: ["/a"])
    let ambiguous = ["/a/..;/b", "/a;x", "/a/..%2Fb", "/a/..%2fb", "/a/%5C", "/a/%3bx", "/a/x%2F"]
    #expect(
      open(paths, ambiguous + ["/a/%2", "/a/%", "/a/%20", "/a/%2E"]) == ["/a/%2", "/a/%", "/a/%20", "/a/%2E"])
    #expect(open(try self.paths(login: ["/admin"]), ["/admin;x", "/b"]) == ["/b"])
  }

  @Test func whereLoginPathsAreGivenOthersAreOpen() throws {
    #expect(
      open(try paths(login: ["/admin"]), ["/", "/admin", "/admin/x", "/administrator"]) == [
        "/", "/administrator",
      ])
    #expect(open(try paths(login: ["/"]), ["/", "/a"]) == [])
    #expect(open(try paths(login: []), ["/"]) == ["/"])
  }
}
