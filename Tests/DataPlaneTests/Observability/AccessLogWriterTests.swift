import Foundation
import Glibc
import Runtime
import Synchronization
import Testing

@testable import DataPlane

@Suite("Access log writer")
struct AccessLogWriterTests {
  @Test("Lines of several workers and many chunks all arrive whole")
  func manyChunks() throws {
    let directory = TemporaryDirectory()
    let writer = try AccessLogWriter(path: directory.file("log"), queuedBytesMax: .max) { _ in }
    let logs = (0..<3).map {
      WorkerAccessLog(on: Worker(index: $0, seam: StillSeam()), writer: writer, format: Format.json.resource)
    }
    for number in 0..<3_000 {
      logs[number % 3].write(makeRecord(), makeHead(target: Array("/\(number)".utf8)))
    }
    for log in logs { log.close() }
    #expect(writer.close())
    let lines = lines(try contents(directory.file("log")))
    let paths = try lines.map { line in
      try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])["path"] as? String
    }
    #expect(Set(paths) == Set((0..<3_000).map { "/\($0)" }))
    #expect(paths.count == 3_000)
    #expect(logs.map(\.linesWritten) == [1_000, 1_000, 1_000])
    #expect(logs.allSatisfy { $0.linesDropped == 0 })
  }

  @Test("A line waits for its chunk to fill or for its deadline")
  func deadline() throws {
    let directory = TemporaryDirectory()
    let writer = try AccessLogWriter(path: directory.file("log")) { _ in }
    let seam = StillSeam()
    let worker = Worker(index: 0, seam: seam)
    let log = WorkerAccessLog(on: worker, writer: writer, format: Format.json.resource)
    log.write(makeRecord(), makeHead())
    #expect(log.linesWritten == 0)
    #expect(log.deadline == seam.time.advanced(byNanoseconds: WorkerAccessLog.flushNanoseconds))
    // The still seam moves its clock to the deadline that the worker waits for.
    worker.turn()
    #expect(log.linesWritten == 1)
    #expect(log.deadline == .never)
    log.close()
    #expect(writer.close())
    #expect(lines(try contents(directory.file("log"))).count == 1)
  }

  @Test("A line that is longer than a chunk is written whole")
  func longLine() throws {
    let directory = TemporaryDirectory()
    let hostile = [UInt8](repeating: 0x01, count: 20_000)
    let text = try logged(.json, at: directory.file("log")) { log in
      for _ in 0..<3 {
        log.write(makeRecord(), makeHead(target: hostile, userAgent: hostile, referer: hostile))
      }
    }
    let written = lines(text)
    #expect(written.count == 3)
    for line in written {
      #expect(line.count < 80_000)
      #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line)) }
    }
  }

  @Test("Rotation: after reopen lines go to a new file, those before to the old one")
  func rotation() throws {
    let directory = TemporaryDirectory()
    let path = directory.file("log")
    let writer = try AccessLogWriter(path: path) { _ in }
    let log = WorkerAccessLog(
      on: Worker(index: 0, seam: StillSeam()), writer: writer, format: Format.json.resource)
    log.write(makeRecord(), makeHead(target: Array("/before".utf8)))
    log.flush()
    try FileManager.default.moveItem(atPath: path, toPath: directory.file("log.1"))
    writer.reopen()
    while !FileManager.default.fileExists(atPath: path) { usleep(1_000) }
    log.write(makeRecord(), makeHead(target: Array("/after".utf8)))
    log.close()
    #expect(writer.close())
    let old = String(decoding: try contents(directory.file("log.1")), as: UTF8.self)
    let new = String(decoding: try contents(path), as: UTF8.self)
    #expect(old.contains("/before") && !old.contains("/after"))
    #expect(new.contains("/after") && !new.contains("/before"))
  }

  @Test("A line that was cut by whoever wrote before does not take the next one with it")
  func cutLine() throws {
    let directory = TemporaryDirectory()
    let path = directory.file("log")
    func leave(_ text: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }
    func write(_ text: String, to file: LogFile) {
      let buffer = Buffer(capacity: 64)
      buffer.append(Array(text.utf8))
      #expect(file.write(buffer, shouldStop: { true }) == nil)
    }
    func content() throws -> String { String(decoding: try contents(path), as: UTF8.self) }
    try leave("whole\ncut")
    let file = try LogFile(path: path)
    write("one\n", to: file)
    write("two\n", to: file)
    #expect(try content() == "whole\ncut\none\ntwo\n")
    // Others under the same name: one that is cut, one that is whole, and one that is empty.
    for (left, wanted) in [("cut", "cut\nnext\n"), ("whole\n", "whole\nnext\n"), ("", "next\n")] {
      try FileManager.default.removeItem(atPath: path)
      try leave(left)
      try file.reopen()
      write("next\n", to: file)
      #expect(try content() == wanted)
    }
  }

  @Test("A reader that stalls costs lines, which are counted, and no line arrives torn")
  func stalledPipe() throws {
    let directory = TemporaryDirectory()
    let path = directory.file("pipe")
    let reader = try makePipe(path)
    defer { close(reader) }
    let writer = try AccessLogWriter(path: path, queuedBytesMax: 200_000) { _ in }
    let log = WorkerAccessLog(
      on: Worker(index: 0, seam: StillSeam()), writer: writer, format: Format.json.resource)
    let total = 3_000
    for _ in 0..<total { log.write(makeRecord(), makeHead()) }
    log.close()
    #expect(log.linesDropped > 0)
    #expect(log.linesWritten + log.linesDropped == UInt64(total))
    // The reader wakes up: all that was taken arrives.
    let received = Mutex<[UInt8]>([])
    let isDone = Mutex(false)
    let thread = Thread { [writer] in
      writer.close()
      isDone.withLock { $0 = true }
    }
    thread.start()
    var block = [UInt8](repeating: 0, count: 65_536)
    while true {
      let finished = isDone.withLock { $0 }
      let count = unsafe read(reader, &block, block.count)
      if count > 0 { received.withLock { $0.append(contentsOf: block[..<count]) } }
      if count <= 0 {
        if finished { break }
        usleep(1_000)
      }
    }
    #expect(writer.figures.linesLost == 0)
    let lines = lines(received.withLock { $0 })
    #expect(UInt64(lines.count) == log.linesWritten)
    #expect(lines.allSatisfy { $0.first == UInt8(ascii: "{") && $0.last == UInt8(ascii: "}") })
  }

  @Test("Closing does not wait for ever for a reader that stays away; what is left counts as lost")
  func closingWhileStalled() throws {
    let directory = TemporaryDirectory()
    let path = directory.file("pipe")
    let reader = try makePipe(path)
    defer { close(reader) }
    let writer = try AccessLogWriter(path: path) { _ in }
    let log = WorkerAccessLog(
      on: Worker(index: 0, seam: StillSeam()), writer: writer, format: Format.json.resource)
    for _ in 0..<1_000 { log.write(makeRecord(), makeHead()) }
    log.close()
    #expect(!writer.close(within: .milliseconds(50)))
    #expect(writer.figures.linesLost > 0)
  }

  @Test("A write error is counted and reported once, and the log goes on")
  func writeError() throws {
    let reports = Mutex<[String]>([])
    let writer = try AccessLogWriter(path: "/dev/full") { message in reports.withLock { $0.append(message) } }
    let log = WorkerAccessLog(
      on: Worker(index: 0, seam: StillSeam()), writer: writer, format: Format.json.resource)
    for _ in 0..<5 {
      log.write(makeRecord(), makeHead())
      log.flush()
    }
    log.close()
    writer.close()
    #expect(writer.figures.linesLost == 5)
    #expect(writer.figures.errors > 0)
    let messages = reports.withLock { $0 }
    #expect(messages.count == 1)
    #expect(messages.first?.contains("No space left on device") == true)
    #expect(writer.figures.problem == messages.first)
  }

  @Test("A path that cannot be opened is an error at once")
  func cannotOpen() throws {
    #expect(throws: SystemError.self) { try AccessLogWriter(path: "/nonexistent/log") { _ in } }
  }

  /// A named pipe with a reader, whose descriptor is returned.
  private func makePipe(_ path: String) throws -> Int32 {
    // The strings live for the calls.
    let status = unsafe mkfifo(path, 0o600)
    try #require(status == 0)
    return unsafe open(path, O_RDONLY | O_NONBLOCK)
  }

  private func contents(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: path)))
  }
}
