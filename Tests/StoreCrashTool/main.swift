// What the tests of the store do to a process of its own: kill it, limit it, let it hold the database.

import Glibc
import Store

/// Written at once: the reader counts a line as said, whatever happens to this process next.
func say(_ line: String) {
  let bytes = Array((line + "\n").utf8)
  var done = 0
  while done < bytes.count {
    let count = unsafe bytes.withUnsafeBytes { unsafe write(1, $0.baseAddress! + done, bytes.count - done) }
    if count <= 0 { exit(3) }
    done += count
  }
}

/// What the tests expect of each revision; they have it from the same formula (CrashTests).
func transaction(_ revision: UInt64) -> StoreTransaction {
  let operations = (0..<(1 + revision % 7)).map { index in
    let name = "r\((revision * 31 + index * 17) % 97)"
    let isDeleted = (revision + index) % 5 == 0
    let document = "\(name)@\(revision)" + String(repeating: ".", count: Int(revision % 3) * 1_000)
    return StoreOperation(
      kind: "routes", name: name,
      content: isDeleted
        ? nil
        : StoredContent(document: document, material: [UInt8](document.utf8.reversed()), secret: [1, 2, 3]))
  }
  return StoreTransaction(
    revision: revision, time: 0, actor: "tool", remote: "local", operations: operations)
}

/// Commits without end; says each revision once it is durable.
func commitForever(_ path: String) throws(StoreError) {
  let store = try ResourceStore(path: path, historyMax: 50)
  var revision = try store.revision()
  say("ready \(revision)")
  while true {
    let group = (1...(1 + revision % 3)).map { transaction(revision + $0) }
    try store.commit(group)
    revision += UInt64(group.count)
    say("\(revision)")
  }
}

/// Commits until a file may not grow any more; then reads, gets room again, and commits.
func commitToLimit(_ path: String, _ bytes: UInt) throws(StoreError) {
  let store = try ResourceStore(path: path, historyMax: 50)
  signal(SIGXFSZ, SIG_IGN)
  var limit = rlimit(rlim_cur: bytes, rlim_max: .max)
  unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
  var revision = try store.revision()
  do {
    while revision < 10_000 {
      try store.commit([transaction(revision + 1)])
      revision += 1
    }
    say("no limit was met")
  } catch { say("failed \(error)") }
  say("\(revision) \(try store.revision())")
  limit.rlim_cur = .max
  unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
  try store.check()
  try store.commit([transaction(revision + 1)])
  say("\(try store.revision())")
}

let arguments = CommandLine.arguments
guard arguments.count >= 3 else { fatalError("store-crash-tool commit|limit|hold|unprivileged PATH [BYTES]") }
do {
  switch arguments[1] {
  case "commit": try commitForever(arguments[2])
  case "limit": try commitToLimit(arguments[2], UInt(arguments[3]) ?? 0)
  case "hold":
    let store = try ResourceStore(path: arguments[2], historyMax: 50)
    say("ready \(try store.revision())")
    // Until the test closes its end.
    while getchar() != EOF {}
    withExtendedLifetime(store) {}
  case "unprivileged":
    // Root may write everywhere: the rights of files are none to it.
    if getuid() == 0 && (setgid(65_534) != 0 || setuid(65_534) != 0) { fatalError("setuid") }
    _ = try ResourceStore(path: arguments[2], historyMax: 50)
    say("opened")
  default: fatalError("\(arguments[1])?")
  }
} catch {
  say("error \(error.reason): \(error)")
}
