import Runtime
import Testing

@testable import ControlPlane

@Suite struct FileSetWatcherTests {
  private func signatures(_ folder: TestFolder, _ names: [String]) -> [String: FileSignature?] {
    Dictionary(uniqueKeysWithValues: names.map { (folder.path($0), FileSignature(path: folder.path($0))) })
  }

  private func watch(_ folder: TestFolder, _ names: [String], usesInotify: Bool = true) -> (
    FileSetWatcher, Collected<Void>
  ) {
    let reports = Collected<Void>()
    let watcher = FileSetWatcher(
      usesInotify: usesInotify, poll: usesInotify ? .seconds(3_600) : .milliseconds(20)
    ) { reports.append(()) }
    watcher.watch(signatures(folder, names))
    return (watcher, reports)
  }

  @Test(arguments: [true, false]) func reportsEachFileOfTheSet(usesInotify: Bool) async throws {
    let folder = try TestFolder()
    try folder.makeFolder("other")
    for name in ["one", "other/two"] { try folder.write("first", to: name) }
    let (watcher, reports) = watch(folder, ["one", "other/two", "missing"], usesInotify: usesInotify)
    defer { watcher.stop() }
    try folder.write("second", to: "one")
    try await eventually("the one written in place is reported") { reports.count == 1 }
    try folder.write("second", to: "other/new")
    try folder.rename("other/new", to: "other/two")
    try await eventually("the one renamed over is reported") { reports.count == 2 }
    try folder.write("first", to: "missing")
    try await eventually("the one that came is reported") { reports.count == 3 }
    try folder.remove("one")
    try await eventually("the one that went is reported") { reports.count == 4 }
  }

  /// As certbot does it: `live/cert.pem` → `../archive/cert1.pem`.
  @Test func reportsALinkThatLeadsElsewhere() async throws {
    let folder = try TestFolder()
    for name in ["live", "archive"] { try folder.makeFolder(name) }
    for number in 1...3 { try folder.write("certificate \(number)", to: "archive/cert\(number).pem") }
    try folder.link("live/cert.pem", to: "../archive/cert1.pem")
    let (watcher, reports) = watch(folder, ["live/cert.pem"])
    defer { watcher.stop() }
    for number in 2...3 {
      try folder.link("live/new", to: "../archive/cert\(number).pem")
      try folder.rename("live/new", to: "live/cert.pem")
      try await eventually("link \(number) is reported") { reports.count == number - 1 }
    }
    try folder.write("certificate 4", to: "archive/cert3.pem")
    try await eventually("what it leads to is reported") { reports.count == 3 }
  }

  /// As the kubelet updates a Secret: `tls.crt` → `..data/tls.crt`, `..data` → `..version`.
  @Test func reportsASecretThatIsReplaced() async throws {
    let folder = try TestFolder()
    try folder.makeFolder("..version1")
    for name in ["tls.crt", "tls.key"] {
      try folder.write("one", to: "..version1/" + name)
      try folder.link(name, to: "..data/" + name)
    }
    try folder.link("..data", to: "..version1")
    let (watcher, reports) = watch(folder, ["tls.crt", "tls.key"])
    defer { watcher.stop() }
    for version in 2...4 {
      try folder.makeFolder("..version\(version)")
      for name in ["tls.crt", "tls.key"] { try folder.write("\(version)", to: "..version\(version)/" + name) }
      try folder.link("..new", to: "..version\(version)")
      try folder.rename("..new", to: "..data")
      try await eventually("version \(version) is reported") { reports.count == version - 1 }
    }
  }

  @Test func reportsWhatHasChangedSinceItWasRead() async throws {
    let folder = try TestFolder()
    try folder.write("first", to: "file")
    let before = signatures(folder, ["file"])
    try folder.write("second content", to: "file")
    let reports = Collected<Void>()
    let watcher = FileSetWatcher(poll: .seconds(3_600)) { reports.append(()) }
    defer { watcher.stop() }
    watcher.watch(before)
    try await eventually("the change in between is reported") { reports.count == 1 }
  }

  @Test func takesAnotherSet() async throws {
    let folder = try TestFolder()
    for name in ["one", "two"] { try folder.write("first", to: name) }
    let (watcher, reports) = watch(folder, [])
    defer { watcher.stop() }
    watcher.watch(signatures(folder, ["one"]))
    try folder.write("second", to: "new")
    try folder.rename("new", to: "one")
    try await eventually("the first set is watched") { reports.count == 1 }
    watcher.watch(signatures(folder, ["two"]))
    // At once, so that it is one change however slow the machine is.
    try folder.write("second", to: "new")
    try folder.rename("new", to: "two")
    try await eventually("the second set is watched") { reports.count == 2 }
    try folder.write("third", to: "one")
    try await Task.sleep(for: .milliseconds(200))
    #expect(reports.count == 2)
  }
}
