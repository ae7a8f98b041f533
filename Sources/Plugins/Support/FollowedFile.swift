import DataPlane
import Resources
import Runtime
import Synchronization

/// A file that a plugin goes by. It is read when the configuration is, and again within two seconds of a change,
/// for as long as settings have it. From any thread; workers read it by a ``FileView``.
///
/// A change that cannot be read or understood leaves what was read before in place.
final class FollowedFile<Content: Sendable>: FollowedFileBase, Sendable {
  struct Reading: Sendable {
    var content: Content
    /// Why the file's present content is not this.
    var problem: String?
  }

  private struct State: Sendable {
    var reading: Reading
    var signature: FileSignature?
  }

  private let path: String
  private let bytesMax: Int
  private let parse: @Sendable ([UInt8]) throws(FileProblem) -> Content
  private let state: Mutex<State>
  private let changes = Atomic<Int>(0)

  /// Reads it; throws what is wrong with it, for the option that names it.
  init(
    _ path: String, option: String, bytesMax: Int,
    parse: @escaping @Sendable ([UInt8]) throws(FileProblem) -> Content
  ) throws(OptionProblem) {
    self.path = path
    self.bytesMax = bytesMax
    self.parse = parse
    // Taken before the file is read, so that a change in between is noticed.
    let signature = FileSignature(path: path)
    do throws(FileProblem) {
      let content = try Self.read(path, bytesMax, parse)
      state = Mutex(State(reading: Reading(content: content), signature: signature))
    } catch {
      throw OptionProblem(option, error.message, hint: error.hint)
    }
    FileFollower.follow(self)
  }

  /// Grows with each change.
  var changeCount: Int { changes.load(ordering: .acquiring) }

  var reading: Reading { state.withLock { $0.reading } }

  func look() {
    let signature = FileSignature(path: path)
    guard state.withLock({ $0.signature != signature }) else { return }
    do throws(FileProblem) {
      let content = try Self.read(path, bytesMax, parse)
      state.withLock { $0 = State(reading: Reading(content: content), signature: signature) }
    } catch {
      state.withLock {
        $0.reading.problem = error.message
        $0.signature = signature
      }
    }
    changes.add(1, ordering: .acquiringAndReleasing)
  }

  private static func read(
    _ path: String, _ bytesMax: Int, _ parse: ([UInt8]) throws(FileProblem) -> Content
  ) throws(FileProblem) -> Content {
    let bytes: [UInt8]
    do throws(SystemError) {
      bytes = try FileContent.read(path, bytesMax: bytesMax)
    } catch {
      throw FileProblem("cannot read \(path): \(error)")
    }
    do throws(FileProblem) {
      return try parse(bytes)
    } catch {
      throw FileProblem("\(path), \(error.message)", hint: error.hint)
    }
  }
}

/// What is wrong with a file's content: `line 3: …`.
struct FileProblem: Error {
  var message: String
  var hint: String?

  init(_ message: String, hint: String? = nil) {
    self.message = message
    self.hint = hint
  }
}

/// What a worker has of a followed file.
struct FileView<Content: Sendable> {
  private let file: FollowedFile<Content>
  /// Of what is taken over.
  private(set) var changeCount: Int
  private(set) var content: Content

  init(_ file: FollowedFile<Content>) {
    self.file = file
    changeCount = file.changeCount
    content = file.reading.content
  }

  /// Takes over what has changed. Costs a load where nothing has.
  ///
  /// - Returns: why the file could not be taken over; once for each change.
  mutating func refresh() -> PluginFailure? {
    let count = file.changeCount
    if count == changeCount { return nil }
    changeCount = count
    let reading = file.reading
    content = reading.content
    return reading.problem.map { PluginFailure($0 + "; what it held before counts") }
  }
}

/// A file of any content.
protocol FollowedFileBase: AnyObject, Sendable {
  /// Reads it again if it may have changed. Blocks.
  func look()
}

/// The thread that looks after followed files; there is one as long as there are some.
private enum FileFollower {
  private struct Entry {
    weak var file: (any FollowedFileBase)?
  }

  private struct State {
    var entries: [Entry] = []
    var isRunning = false
  }

  private static let state = Mutex(State())
  private static let pauseMilliseconds: Int32 = 2_000

  static func follow(_ file: any FollowedFileBase) {
    let mustStart = state.withLock { state in
      state.entries.append(Entry(file: file))
      defer { state.isRunning = true }
      return !state.isRunning
    }
    if mustStart { BackgroundThread.start(name: "plugin-files") { run() } }
  }

  private static func run() {
    let pause = ThreadSignal()
    while true {
      pause.wait(milliseconds: pauseMilliseconds)
      let files = state.withLock { state -> [any FollowedFileBase] in
        let files = state.entries.compactMap(\.file)
        state.entries = files.map { Entry(file: $0) }
        state.isRunning = !files.isEmpty
        return files
      }
      if files.isEmpty { return }
      for file in files { file.look() }
    }
  }
}

/// Files of one entry a line, with comments behind `#`.
enum LineFile {
  /// Calls for each line that says something, without the spaces around it.
  static func eachLine(
    of bytes: [UInt8], _ body: (ArraySlice<UInt8>) throws(FileProblem) -> Void
  ) throws(FileProblem) {
    var start = 0
    var number = 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      number += 1
      let line = trimmed(bytes[start..<end])
      start = end + 1
      if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
      do throws(FileProblem) {
        try body(line)
      } catch {
        throw FileProblem("line \(number): \(error.message)", hint: error.hint)
      }
    }
  }

  static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var line = line.drop(while: isSpace)
    while let last = line.last, isSpace(last) { line.removeLast() }
    return line
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
}
