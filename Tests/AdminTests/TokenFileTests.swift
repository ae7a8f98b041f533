import Foundation
import Testing

@testable import Admin

@Suite("Admin API: the token's file")
struct TokenFileTests {
  private static let old = "0123456789abcdef-old"
  private static let new = "0123456789abcdef-new"

  private let folder = FileManager.default.temporaryDirectory.appending(path: "token-\(UUID().uuidString)")
  private var path: String { folder.path() + "/token" }

  init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

  /// Into the file itself.
  private func write(_ text: String, age: TimeInterval) throws {
    let url = URL(filePath: path)
    if FileManager.default.fileExists(atPath: path) {
      let file = try FileHandle(forWritingTo: url)
      try file.truncate(atOffset: 0)
      try file.write(contentsOf: Data(text.utf8))
      try file.close()
    } else {
      try Data(text.utf8).write(to: url)
    }
    // Whole seconds, which every way to set them keeps.
    let time = Date(timeIntervalSince1970: (Date().timeIntervalSince1970 - age).rounded())
    try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: path)
  }

  private func holds(_ file: TokenFile, _ text: String) -> Bool {
    if case .token(let token) = file.access() { token.matches(Array(text.utf8)) } else { false }
  }

  @Test("It is read again when it has changed, and not before")
  func changed() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try write(Self.old, age: 3_600)
    let known = try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
    let file = TokenFile(path)
    #expect(holds(file, Self.old))
    // As long, in the same file, with the same time: nothing says that it is another.
    try write(Self.new, age: 0)
    try FileManager.default.setAttributes([.modificationDate: try #require(known)], ofItemAtPath: path)
    #expect(holds(file, Self.old))
    try write(Self.new, age: 1_800)
    #expect(holds(file, Self.new))
    try write("short", age: 1_800)
    guard case .lost = file.access() else {
      Issue.record("a token that is none")
      return
    }
  }

  @Test("A file that is gone lets nobody in, at once, until it is there again")
  func gone() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try write(Self.old, age: 3_600)
    let file = TokenFile(path)
    #expect(holds(file, Self.old))
    try FileManager.default.removeItem(atPath: path)
    guard case .lost = file.access() else {
      Issue.record("the token was kept")
      return
    }
    try write(Self.old, age: 3_600)
    #expect(holds(file, Self.old))
  }

  @Test("What was written within a tick of the clock is found out a little later")
  func withinATick() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    // From the future: it is never old enough to be trusted.
    try write(Self.old, age: -3_600)
    let known = try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
    let file = TokenFile(path)
    #expect(holds(file, Self.old))
    try write(Self.new, age: 0)
    try FileManager.default.setAttributes([.modificationDate: try #require(known)], ofItemAtPath: path)
    for _ in 0..<2_000 where !holds(file, Self.new) { try await Task.sleep(for: .milliseconds(5)) }
    #expect(holds(file, Self.new))
  }
}
