import DataPlane
import Logging
import Resources
import Runtime
import Synchronization

/// The process's access log: one writer for as long as the destination stays the same.
final class AccessLogs: Sendable {
  /// Where lines go, and what they look like.
  struct Destination: Sendable {
    var writer: AccessLogWriter
    var format: Resources.AccessLog.Format
  }

  fileprivate struct State {
    var current: Destination?
    /// Replaced, but workers may still hold lines for them.
    var retired: [AccessLogWriter] = []
  }

  private let logger: Logger
  private let state = Mutex(State())

  init(logger: Logger) { self.logger = logger }

  /// The destination for a configuration. One that cannot be opened is reported, and the one
  /// before stays.
  func destination(for settings: Resources.AccessLog?) -> Destination? {
    state.withLock { state in
      guard let settings else {
        state.retireCurrent()
        return nil
      }
      if state.current?.writer.path == settings.path {
        state.current?.format = settings.format
        return state.current
      }
      let logger = logger
      do throws(SystemError) {
        let writer = try AccessLogWriter(
          path: settings.path, recovered: { logger.info("access log: \($0)") },
          report: { logger.error("access log: \($0)") })
        state.retireCurrent()
        state.current = Destination(writer: writer, format: settings.format)
      } catch {
        logger.error("access log: \(settings.path) cannot be opened: \(error)")
      }
      return state.current
    }
  }

  /// Hands over the writers that have been replaced, to be closed when all workers have changed over.
  func takeRetired() -> [AccessLogWriter] {
    state.withLock { state in
      defer { state.retired = [] }
      return state.retired
    }
  }

  var figures: AccessLogWriter.Figures? { state.withLock { $0.current?.writer.figures } }

  /// Opens the file anew, after a rotation moved it away.
  func reopen() { state.withLock { $0.current }?.writer.reopen() }

  /// Writes what is left, and ends. Called when the workers have ended.
  func close() {
    for writer in takeRetired() { writer.close() }
    let current = state.withLock { state in
      defer { state.current = nil }
      return state.current
    }
    current?.writer.close()
  }
}

extension AccessLogs.State {
  fileprivate mutating func retireCurrent() {
    if let current { retired.append(current.writer) }
    current = nil
  }
}
