import Foundation
import Runtime
import Testing

@testable import ControlPlane

@Suite struct FileWatcherTests {
  /// A watcher of `name` whose reports are counted.
  private func watch(_ folder: TestFolder, _ name: String, usesInotify: Bool = true) -> (
    FileWatcher, Collected<Void>
  ) {
    let reports = Collected<Void>()
    let poll = usesInotify ? Duration.seconds(3_600) : .milliseconds(20)
    let watcher = FileWatcher(path: folder.path(name), usesInotify: usesInotify, poll: poll) {
      reports.append(())
    }
    watcher.start()
    return (watcher, reports)
  }

  @Test func reportsAFileWrittenInPlace() async throws {
    let folder = try TestFolder()
    try folder.write("one", to: "file")
    let (watcher, reports) = watch(folder, "file")
    defer { watcher.stop() }
    try folder.write("two", to: "file")
    try await eventually("the first change is reported") { reports.count == 1 }
    try folder.write("three", to: "file")
    try await eventually("the second change is reported") { reports.count == 2 }
  }

  @Test func reportsAFileRenamedOver() async throws {
    let folder = try TestFolder()
    try folder.write("one", to: "file")
    let (watcher, reports) = watch(folder, "file")
    defer { watcher.stop() }
    for round in 1...3 {
      try folder.write("content \(round)", to: "file.new")
      try folder.rename("file.new", to: "file")
      try await eventually("change \(round) is reported") { reports.count == round }
    }
  }

  @Test func reportsAFileDeletedAndCreatedAgain() async throws {
    let folder = try TestFolder()
    try folder.write("one", to: "file")
    let (watcher, reports) = watch(folder, "file")
    defer { watcher.stop() }
    try folder.remove("file")
    try await Task.sleep(for: .milliseconds(100))
    #expect(reports.count == 0)
    try folder.write("two", to: "file")
    try await eventually("the new file is reported") { reports.count == 1 }
  }

  @Test func reportsAFileThatComesLater() async throws {
    let folder = try TestFolder()
    let (watcher, reports) = watch(folder, "later/file")
    defer { watcher.stop() }
    try folder.makeFolder("later")
    try folder.write("one", to: "later/file")
    try await eventually("the file is reported") { reports.count == 1 }
  }

  /// As the kubelet updates a ConfigMap: `file` → `..data/file`, `..data` → `..version`.
  @Test func reportsAConfigMapThatIsReplaced() async throws {
    let folder = try TestFolder()
    try folder.makeFolder("..version1")
    try folder.write("one", to: "..version1/file")
    try folder.link("..data", to: "..version1")
    try folder.link("file", to: "..data/file")
    let (watcher, reports) = watch(folder, "file")
    defer { watcher.stop() }
    for version in 2...4 {
      try folder.makeFolder("..version\(version)")
      try folder.write("content \(version)", to: "..version\(version)/file")
      try folder.link("..data_new", to: "..version\(version)")
      try folder.rename("..data_new", to: "..data")
      try folder.remove("..version\(version - 1)")
      try await eventually("version \(version) is reported") { reports.count == version - 1 }
    }
  }

  @Test func reportsALinkToAFolderThatIsReplaced() async throws {
    let folder = try TestFolder()
    for release in ["a", "b"] {
      try folder.makeFolder(release)
      try folder.write(release, to: release + "/file")
    }
    try folder.link("current", to: folder.path("a"))
    let (watcher, reports) = watch(folder, "current/file")
    defer { watcher.stop() }
    try folder.link("next", to: folder.path("b"))
    try folder.rename("next", to: "current")
    try await eventually("the release is reported") { reports.count == 1 }
    try folder.write("edited", to: "b/file")
    try await eventually("an edit of the file behind the link is reported") { reports.count == 2 }
  }

  @Test func ignoresTouchingAndOtherFiles() async throws {
    let folder = try TestFolder()
    try folder.write("one", to: "file")
    let (watcher, reports) = watch(folder, "file")
    defer { watcher.stop() }
    try folder.write("one", to: "file")
    try FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: folder.path("file"))
    try folder.write("noise", to: "other")
    try await Task.sleep(for: .milliseconds(200))
    #expect(reports.count == 0)
    try folder.write("two", to: "file")
    try await eventually("a change after them is reported") { reports.count == 1 }
  }

  @Test func waitsForAWriterThatPauses() async throws {
    let folder = try TestFolder()
    // Some kernels report a close a moment late: it must not be taken for the writer's own.
    try folder.write("", to: "file")
    try await Task.sleep(for: .milliseconds(50))
    let handle = try #require(FileHandle(forUpdatingAtPath: folder.path("file")))
    try handle.write(contentsOf: Data("one".utf8))
    let contents = Collected<String>()
    let path = folder.path("file")
    // No machine is so busy that the pause outlasts these.
    let limits = FileWatcher.Limits(writer: .seconds(60), unrest: .seconds(120))
    let watcher = FileWatcher(path: path, usesInotify: true, poll: .seconds(3_600), limits: limits) {
      contents.append((try? String(contentsOfFile: path, encoding: .utf8)) ?? "")
    }
    watcher.start()
    defer { watcher.stop() }
    try handle.truncate(atOffset: 0)
    try handle.write(contentsOf: Data("first half, ".utf8))
    try await Task.sleep(for: .milliseconds(150))
    try handle.write(contentsOf: Data("second half".utf8))
    try handle.close()
    try await eventually("the change is reported") { contents.count > 0 }
    #expect(contents.values == ["first half, second half"])
  }

  @Test func pollsWhereInotifyIsMissing() async throws {
    let folder = try TestFolder()
    try folder.write("one", to: "file")
    let (watcher, reports) = watch(folder, "file", usesInotify: false)
    defer { watcher.stop() }
    try folder.write("two", to: "file.new")
    try folder.rename("file.new", to: "file")
    try await eventually("the change is reported") { reports.count == 1 }
  }

  // MARK: Directories

  @Test(arguments: [true, false]) func reportsFilesOfADirectory(usesInotify: Bool) async throws {
    let folder = try TestFolder()
    try folder.makeFolder("conf.d")
    try folder.write("one", to: "conf.d/a.yaml")
    let (watcher, reports) = watch(folder, "conf.d", usesInotify: usesInotify)
    defer { watcher.stop() }
    try folder.write("two", to: "conf.d/a.yaml")
    try await eventually("an edit is reported") { reports.count == 1 }
    try folder.write("new", to: "conf.d/b.yml")
    try await eventually("a new file is reported") { reports.count == 2 }
    try folder.write("newer", to: "conf.d/.b.yml.swp")
    try folder.rename("conf.d/.b.yml.swp", to: "conf.d/b.yml")
    try await eventually("a file renamed over is reported") { reports.count == 3 }
    try folder.remove("conf.d/a.yaml")
    try await eventually("a file that is gone is reported") { reports.count == 4 }
    try folder.rename("conf.d/b.yml", to: "conf.d/c.yaml")
    try await eventually("a new name is reported") { reports.count == 5 }
  }

  @Test func ignoresWhatIsNoConfigurationInADirectory() async throws {
    let folder = try TestFolder()
    try folder.makeFolder("conf.d")
    try folder.write("one", to: "conf.d/a.yaml")
    let (watcher, reports) = watch(folder, "conf.d")
    defer { watcher.stop() }
    for name in ["a.yaml~", ".a.yaml.swp", ".hidden.yaml", "notes.txt", "yaml"] {
      try folder.write("noise", to: "conf.d/" + name)
    }
    try folder.makeFolder("conf.d/more.d")
    try folder.write("noise", to: "conf.d/more.d/b.yaml")
    try folder.write("one", to: "conf.d/a.yaml")
    try await Task.sleep(for: .milliseconds(200))
    #expect(reports.count == 0)
    try folder.write("two", to: "conf.d/a.yaml")
    try await eventually("a change after them is reported") { reports.count == 1 }
  }

  /// As the kubelet updates a ConfigMap of several files.
  @Test func reportsADirectoryWhoseLinksAreReplaced() async throws {
    let folder = try TestFolder()
    try folder.makeFolder("..version1")
    for name in ["a.yaml", "b.yaml"] {
      try folder.write("one", to: "..version1/" + name)
      try folder.link(name, to: "..data/" + name)
    }
    try folder.link("..data", to: "..version1")
    let reports = Collected<Void>()
    let watcher = FileWatcher(path: folder.path, usesInotify: true, poll: .seconds(3_600)) {
      reports.append(())
    }
    watcher.start()
    defer { watcher.stop() }
    for version in 2...4 {
      try folder.makeFolder("..version\(version)")
      try folder.write("one", to: "..version\(version)/a.yaml")
      try folder.write("content \(version)", to: "..version\(version)/b.yaml")
      try folder.link("..data_new", to: "..version\(version)")
      try folder.rename("..data_new", to: "..data")
      try folder.remove("..version\(version - 1)")
      try await eventually("version \(version) is reported") { reports.count == version - 1 }
    }
  }

  @Test func refusesWhatIsNotAFile() throws {
    let folder = try TestFolder()
    #expect(throws: (any Error).self) { try FileContent.read(folder.path) }
    #expect(throws: (any Error).self) { try FileContent.read(folder.path("missing")) }
    try folder.write("text", to: "file")
    #expect(try FileContent.read(folder.path("file")) == Array("text".utf8))
  }

  @Test func followsLinksNoFurtherThanTheKernel() throws {
    let folder = try TestFolder()
    try folder.link("a", to: "b")
    try folder.link("b", to: "a")
    #expect(PathEntries.of(folder.path("a")).count == PathEntries.linksMax + 1)
  }
}
