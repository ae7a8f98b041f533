import HTTPCodec
import Runtime

/// The common format: the line that NCSA's server and its heirs call combined, then timings and
/// names as `key=value`.
enum CommonLine {
  /// What every line begins with, to the quote of the request line.
  ///
  /// - Parameters:
  ///   - second: as ``LogClock/common`` has it.
  ///   - consumer: a name, which has no spaces.
  static func appendStart(
    second: Span<UInt8>, client: Span<UInt8>, consumer: Span<UInt8>, to out: inout TextWriter
  ) {
    out.append(client)
    out.append(" - ")
    if consumer.isEmpty { out.append("-") } else { out.append(consumer) }
    out.append(" [")
    out.append(second)
    out.append("] \"")
  }

  /// The request line.
  static func append(_ head: RequestHead, _ bytes: Span<UInt8>, to out: inout TextWriter) {
    LogText.appendCommon(bytes.bytes(in: head.methodRange), limit: LogLimits.nameBytesMax, to: &out)
    out.append(" ")
    LogText.appendCommon(bytes.bytes(in: head.target), limit: LogLimits.targetBytesMax, to: &out)
    out.append(" ")
    out.append(LogText.name(of: head.version))
    out.append("\" ")
  }

  /// What came of a request that could not be parsed, in the request line's place.
  static func append(received: Span<UInt8>, to out: inout TextWriter) {
    if received.isEmpty { out.append("-") }
    LogText.appendCommon(received, limit: LogLimits.receivedBytesMax, to: &out)
    out.append("\" ")
  }

  static func append(
    _ record: ExchangeRecord, referer: Span<UInt8>, userAgent: Span<UInt8>,
    to out: inout TextWriter
  ) {
    out.append(decimal: UInt64(record.status))
    out.append(" ")
    out.append(decimal: record.responseBodyBytes)
    appendText(" ", referer, limit: LogLimits.refererBytesMax, to: &out)
    appendText(" ", userAgent, limit: LogLimits.userAgentBytesMax, to: &out)
    out.append(" outcome=")
    out.append(record.outcome.name)
    out.append(" retries=")
    out.append(decimal: UInt64(record.retries))
    out.append(" bytesReceived=")
    out.append(decimal: record.receivedBytes)
    out.append(" bytesSent=")
    out.append(decimal: record.sentBytes)
    out.append(" durationMs=")
    JSONLine.appendMilliseconds(record.totalNanoseconds, to: &out)
    out.append(" headMs=")
    JSONLine.appendMilliseconds(record.headNanoseconds, to: &out)
    out.append(" connectMs=")
    JSONLine.appendMilliseconds(record.connectNanoseconds, to: &out)
    out.append(" responseMs=")
    if record.responseNanoseconds >= 0 {
      JSONLine.appendMilliseconds(record.responseNanoseconds, to: &out)
    } else {
      out.append("-")
    }
  }

  static func appendNames(
    route: Span<UInt8>, service: Span<UInt8>, endpoint: Span<UInt8>, requestID: Span<UInt8>,
    to out: inout TextWriter
  ) {
    appendText(" route=", route, limit: LogLimits.nameBytesMax, to: &out)
    appendText(" service=", service, limit: LogLimits.nameBytesMax, to: &out)
    appendText(" endpoint=", endpoint, limit: LogLimits.nameBytesMax, to: &out)
    appendText(" requestId=", requestID, limit: LogLimits.requestIDBytesMax, to: &out)
    out.append("\n")
  }

  /// A name and a quoted text; a hyphen stands for none.
  private static func appendText(
    _ name: StaticString, _ value: Span<UInt8>, limit: Int, to out: inout TextWriter
  ) {
    out.append(name)
    out.append(ASCIIByte.quote)
    if value.isEmpty {
      out.append("-")
    } else {
      LogText.appendCommon(value, limit: limit, to: &out)
    }
    out.append(ASCIIByte.quote)
  }
}
