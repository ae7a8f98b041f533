import Glibc
import Testing

/// A program started by a test, with no signal blocked: the threads of Swift's pool block most of
/// them, and a child would inherit that and never hear of SIGTERM.
///
/// `@unchecked Sendable`: used by one test's task at a time.
final class ChildProcess: @unchecked Sendable {
  let identifier: pid_t
  private var isEnded = false

  init(_ path: String, _ arguments: [String]) throws {
    var identifier: pid_t = 0
    var actions = unsafe posix_spawn_file_actions_t()
    // Every structure and string given outlives the calls; the strings are freed below.
    unsafe posix_spawn_file_actions_init(&actions)
    for descriptor in 0...2 as ClosedRange<Int32> {
      unsafe posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
    }
    var attributes = posix_spawnattr_t()
    var signals = sigset_t()
    unsafe posix_spawnattr_init(&attributes)
    unsafe sigemptyset(&signals)
    unsafe posix_spawnattr_setsigmask(&attributes, &signals)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var strings = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
    let status = unsafe posix_spawn(&identifier, path, &actions, &attributes, &strings, environ)
    for index in unsafe strings.indices { unsafe free(strings[index]) }
    unsafe posix_spawn_file_actions_destroy(&actions)
    unsafe posix_spawnattr_destroy(&attributes)
    try #require(status == 0, "cannot start \(path)")
    self.identifier = identifier
  }

  deinit { stop() }

  var isRunning: Bool {
    // Nobody asks for the status.
    if !isEnded, waitpid(identifier, nil, WNOHANG) == identifier { isEnded = true }
    return !isEnded
  }

  func signal(_ number: Int32) {
    if !isEnded { kill(identifier, number) }
  }

  /// Returns when the process has ended.
  func stop() {
    guard !isEnded else { return }
    isEnded = true
    kill(identifier, SIGTERM)
    // Nobody asks for the status.
    while waitpid(identifier, nil, 0) < 0 && errno == EINTR {}
  }
}
