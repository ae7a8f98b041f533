import DataPlane
import Foundation
import HTTPCodec
import Runtime

/// Time that stands still unless a test moves it; no network.
final class StillSeam: Seam {
  var time = MonotonicTime(nanoseconds: 1_000_000_000)
  /// 2026-02-28T23:59:59.500Z.
  var wallClock: Int64 = 1_772_323_199_500_000_000

  override func now() -> MonotonicTime { time }
  override func wallClockNanoseconds() -> Int64 { wallClock }
  override func randomSeed() -> UInt64 { 1 }
  override func poll(until deadline: MonotonicTime, into events: inout [ReadyEvent]) {
    if deadline != .never { time = max(time, deadline) }
  }
  override func wake() {}
}

/// A directory of one test, removed afterwards.
struct TemporaryDirectory: ~Copyable {
  let path: String

  init() {
    path = FileManager.default.temporaryDirectory.appending(path: "penstock-\(UUID())").path
    try! FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }
}

/// A request head as the parser would make it of these parts.
func makeHead(
  method: String = "GET", target: [UInt8] = Array("/a?b=1".utf8), host: String = "example.com",
  userAgent: [UInt8]? = nil, referer: [UInt8]? = nil
) -> (head: RequestHead, bytes: [UInt8]) {
  var bytes: [UInt8] = []
  func add(_ text: some Collection<UInt8>) -> ByteRange {
    defer { bytes.append(contentsOf: text) }
    return ByteRange(start: bytes.count, count: text.count)
  }
  var head = RequestHead()
  head.methodRange = add(method.utf8)
  head.target = add(target)
  head.host = add(host.utf8)
  if let userAgent {
    head.fields.append(Field(name: .empty, value: add(userAgent), known: .userAgent))
  }
  if let referer { head.fields.append(Field(name: .empty, value: add(referer), known: .referer)) }
  head.byteCount = bytes.count
  return (head, bytes)
}

func makeRecord(status: UInt16 = 200, outcome: Outcome = .proxied) -> ExchangeRecord {
  var record = ExchangeRecord()
  record.start = MonotonicTime(nanoseconds: 1_000_000_000)
  record.headNanoseconds = 12_345
  record.connectNanoseconds = 0
  record.responseNanoseconds = 1_002_999
  record.totalNanoseconds = 1_234_567
  record.status = status
  record.outcome = outcome
  record.retries = 1
  record.requestBodyBytes = 3
  record.responseBodyBytes = 100
  record.receivedBytes = 80
  record.sentBytes = 18_446_744_073_709_551_615
  record.client = SocketAddress(ipv4: 192, 168, 10, 255, port: 4_000)
  return record
}

extension WorkerAccessLog {
  func write(
    _ record: ExchangeRecord, _ request: (head: RequestHead, bytes: [UInt8]), route: String = "orders-api",
    service: String = "orders", endpoint: String = "10.0.0.1:8080", requestID: String = "abc"
  ) {
    let (route, service) = (Array(route.utf8), Array(service.utf8))
    let (endpoint, requestID) = (Array(endpoint.utf8), Array(requestID.utf8))
    write(
      record, head: request.head, bytes: request.bytes.span, route: route.span, service: service.span,
      endpoint: endpoint.span, requestID: requestID.span, consumer: Span<UInt8>())
  }
}

/// What a log writes to a file, with one worker that is given to `body`.
func logged(
  _ format: Format, at path: String, seam: StillSeam = StillSeam(), _ body: (WorkerAccessLog) throws -> Void
) throws -> [UInt8] {
  let writer = try AccessLogWriter(path: path) { _ in }
  let log = WorkerAccessLog(on: Worker(index: 0, seam: seam), writer: writer, format: format.resource)
  try body(log)
  log.close()
  writer.close()
  return [UInt8](try Data(contentsOf: URL(filePath: path)))
}

func lines(_ bytes: [UInt8]) -> [[UInt8]] {
  bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast().map { Array($0) }
}
