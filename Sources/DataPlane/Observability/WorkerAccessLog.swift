import HTTPCodec
import Resources
import Runtime

/// The access log of one worker: makes lines, and hands them to the ``AccessLogWriter`` by the chunk.
///
/// Used on the worker's thread only. A chunk goes when the next line might not fit, or 100 ms after
/// its first line. A line costs no allocation; in steady state neither does a chunk.
public final class WorkerAccessLog: Watcher {
  /// How long a line may wait in a chunk that does not fill, plus the timer wheel's tick.
  public static let flushNanoseconds: Int64 = 100_000_000

  public let format: Resources.AccessLog.Format
  /// Lines handed over to the writer, and lines that its full queue refused.
  public private(set) var linesWritten: UInt64 = 0
  public private(set) var linesDropped: UInt64 = 0

  private let writer: AccessLogWriter
  private var chunk: Buffer
  private var chunkLines = 0
  private let clock = LogClock()
  /// The text of the client address that came last: one client often sends many requests.
  private var client = SocketAddress.any
  private let clientText = Buffer(capacity: 48)

  public init(on worker: Worker, writer: AccessLogWriter, format: Resources.AccessLog.Format) {
    self.writer = writer
    self.format = format
    chunk = writer.queue.makeBuffer()
    super.init(on: worker)
    clientText.append(hostOf: client)
  }

  /// Writes the line of an exchange whose head was parsed.
  ///
  /// - Parameters:
  ///   - bytes: what the head's ranges refer to.
  ///   - route, service, endpoint: names, and the endpoint's address; empty where there was none.
  ///   - requestID: `X-Request-ID` as the endpoint saw it; empty where there is none.
  ///   - consumer: who called; empty where that is not known.
  public func write(
    _ record: ExchangeRecord, head: RequestHead, bytes: Span<UInt8>,
    route: Span<UInt8>, service: Span<UInt8>, endpoint: Span<UInt8>, requestID: Span<UInt8>,
    consumer: Span<UInt8>
  ) {
    let (userAgent, referer) = Self.loggedFields(of: head)
    let names = route.count &+ service.count &+ endpoint.count &+ requestID.count &+ consumer.count
    // More than is written where values are cut; what matters is that it is never less.
    let values =
      names &+ Int(userAgent.count) &+ Int(referer.count) &+ Int(head.target.count)
      &+ Int(head.host.count) &+ Int(head.methodRange.count)
    let milliseconds = beginLine(record)
    let (client, second) = (clientText, format == .json ? clock.iso : clock.common)
    line(ofValues: values) { out in
      switch format {
      case .json:
        JSONLine.appendStart(
          second: second.bytes, milliseconds: milliseconds, client: client.bytes, to: &out)
        JSONLine.append(head, bytes, userAgent: userAgent, referer: referer, to: &out)
        JSONLine.append(
          record, route: route, service: service, endpoint: endpoint, requestID: requestID,
          consumer: consumer, to: &out)
      case .common:
        CommonLine.appendStart(second: second.bytes, client: client.bytes, consumer: consumer, to: &out)
        CommonLine.append(head, bytes, to: &out)
        CommonLine.append(
          record, referer: bytes.bytes(in: referer), userAgent: bytes.bytes(in: userAgent), to: &out)
        CommonLine.appendNames(
          route: route, service: service, endpoint: endpoint, requestID: requestID, to: &out)
      }
    }
  }

  /// Writes the line of a request that could not be parsed.
  ///
  /// - Parameter received: what came, as far as it is known; the first line is logged, up to 256 bytes.
  public func writeUnparsed(_ record: ExchangeRecord, received: Span<UInt8>) {
    let limit = min(received.count, LogLimits.receivedBytesMax)
    var end = 0
    while end < limit, received[end] != 0x0A, received[end] != 0x0D { end += 1 }
    let text = received.extracting(0..<end)
    let none = Span<UInt8>()
    let milliseconds = beginLine(record)
    let (client, second) = (clientText, format == .json ? clock.iso : clock.common)
    line(ofValues: end) { out in
      switch format {
      case .json:
        JSONLine.appendStart(
          second: second.bytes, milliseconds: milliseconds, client: client.bytes, to: &out)
        JSONLine.append(received: text, to: &out)
        JSONLine.append(
          record, route: none, service: none, endpoint: none, requestID: none, consumer: none, to: &out)
      case .common:
        CommonLine.appendStart(second: second.bytes, client: client.bytes, consumer: none, to: &out)
        CommonLine.append(received: text, to: &out)
        CommonLine.append(record, referer: none, userAgent: none, to: &out)
        CommonLine.appendNames(route: none, service: none, endpoint: none, requestID: none, to: &out)
      }
    }
  }

  /// Hands over what is there. Called by itself after 100 ms.
  public func flush() {
    guard chunkLines > 0 else { return }
    let lines = chunkLines
    chunkLines = 0
    let (empty, accepted) = writer.queue.exchange(chunk, lines: lines)
    chunk = empty
    if accepted {
      linesWritten &+= UInt64(lines)
    } else {
      linesDropped &+= UInt64(lines)
    }
  }

  /// Hands over what is there, and ends. To be called before the writer is closed.
  public func close() {
    flush()
    cancelDeadline()
  }

  public override func deadlinePassed() { flush() }

  private static func loggedFields(
    of head: RequestHead
  ) -> (userAgent: ByteRange, referer: ByteRange) {
    var found = (userAgent: ByteRange.empty, referer: ByteRange.empty)
    let fields = head.fields.span
    for index in fields.indices {
      switch fields[index].known {
      case .userAgent: found.userAgent = fields[index].value
      case .referer: found.referer = fields[index].value
      default: break
      }
    }
    return found
  }

  /// Makes the clock say when the exchange ended, and the client's text whose it was.
  ///
  /// - Returns: the milliseconds of that time.
  @inline(__always)
  private func beginLine(_ record: ExchangeRecord) -> Int64 {
    let address = record.client
    if address.octets != client.octets || address.isIPv4 != client.isIPv4 {
      client = address
      clientText.removeAll()
      clientText.append(hostOf: client)
    }
    return clock.set(record.start.advanced(byNanoseconds: record.totalNanoseconds), seam: worker.seam)
  }

  /// Appends what `body` writes of values with `count` bytes in all.
  @inline(__always)
  private func line(ofValues count: Int, _ body: (inout TextWriter) -> Void) {
    let bytesMax = LogLimits.fixedBytes &+ count &* LogLimits.bytesPerByteMax
    if chunk.room < bytesMax { flush() }
    chunk.appendText(atMost: bytesMax, body)
    chunkLines += 1
    if deadline == .never { setDeadline(worker.now.advanced(byNanoseconds: Self.flushNanoseconds)) }
  }
}
