import HTTPCodec
import Runtime

/// The JSON format: one object per line, with the same members in the same order in every line.
enum JSONLine {
  /// The members that every line begins with.
  ///
  /// - Parameter second: as ``LogClock/iso`` has it.
  @inline(__always)
  static func appendStart(
    second: Span<UInt8>, milliseconds: Int64, client: Span<UInt8>, to out: inout TextWriter
  ) {
    out.append("{\"time\":\"")
    out.append(second)
    out.append(thousandths: milliseconds)
    out.append("Z\",\"client\":\"")
    out.append(client)
  }

  /// The members that come from the request's head.
  @inline(__always)
  static func append(
    _ head: RequestHead, _ bytes: Span<UInt8>, userAgent: ByteRange, referer: ByteRange,
    to out: inout TextWriter
  ) {
    out.append("\",\"method\":\"")
    LogText.appendJSON(bytes.bytes(in: head.methodRange), limit: LogLimits.nameBytesMax, to: &out)
    out.append("\",\"host\":\"")
    LogText.appendJSON(bytes.bytes(in: head.host), limit: LogLimits.nameBytesMax, to: &out)
    out.append("\",\"path\":\"")
    LogText.appendJSON(bytes.bytes(in: head.target), limit: LogLimits.targetBytesMax, to: &out)
    out.append("\",\"protocol\":\"")
    out.append(LogText.name(of: head.version))
    out.append("\"")
    appendMember(",\"userAgent\":", bytes.bytes(in: userAgent), limit: LogLimits.userAgentBytesMax, to: &out)
    appendMember(",\"referer\":", bytes.bytes(in: referer), limit: LogLimits.refererBytesMax, to: &out)
  }

  /// The same members of a request that could not be parsed, and what came of it.
  static func append(received: Span<UInt8>, to out: inout TextWriter) {
    out.append(
      "\",\"method\":null,\"host\":null,\"path\":null,\"protocol\":null,\"userAgent\":null,\"referer\":null")
    appendMember(",\"received\":", received, limit: LogLimits.receivedBytesMax, to: &out)
  }

  @inline(__always)
  static func append(
    _ record: ExchangeRecord, route: Span<UInt8>, service: Span<UInt8>,
    endpoint: Span<UInt8>, requestID: Span<UInt8>, consumer: Span<UInt8>, to out: inout TextWriter
  ) {
    out.append(",\"status\":")
    out.append(decimal: UInt64(record.status))
    appendMember(",\"route\":", route, limit: LogLimits.nameBytesMax, to: &out)
    appendMember(",\"service\":", service, limit: LogLimits.nameBytesMax, to: &out)
    appendMember(",\"endpoint\":", endpoint, limit: LogLimits.nameBytesMax, to: &out)
    out.append(",\"retries\":")
    out.append(decimal: UInt64(record.retries))
    out.append(",\"outcome\":\"")
    out.append(record.outcome.name)
    out.append("\"")
    if record.cacheResult != .none {
      out.append(",\"cache\":\"")
      out.append(record.cacheResult.name)
      out.append("\"")
    }
    if let failure = record.tlsFailure {
      out.append(",\"tlsError\":\"")
      LogText.appendJSON(failure.description.utf8.span, limit: LogLimits.nameBytesMax, to: &out)
      out.append("\"")
    }
    if !consumer.isEmpty {
      appendMember(",\"consumer\":", consumer, limit: LogLimits.nameBytesMax, to: &out)
    }
    appendMember(",\"requestId\":", requestID, limit: LogLimits.requestIDBytesMax, to: &out)
    out.append(",\"bytesReceived\":")
    out.append(decimal: record.receivedBytes)
    out.append(",\"bytesSent\":")
    out.append(decimal: record.sentBytes)
    out.append(",\"requestBodyBytes\":")
    out.append(decimal: record.requestBodyBytes)
    out.append(",\"responseBodyBytes\":")
    out.append(decimal: record.responseBodyBytes)
    out.append(",\"durationMs\":")
    appendMilliseconds(record.totalNanoseconds, to: &out)
    out.append(",\"headMs\":")
    appendMilliseconds(record.headNanoseconds, to: &out)
    out.append(",\"connectMs\":")
    appendMilliseconds(record.connectNanoseconds, to: &out)
    out.append(",\"responseMs\":")
    if record.responseNanoseconds >= 0 {
      appendMilliseconds(record.responseNanoseconds, to: &out)
    } else {
      out.append("null")
    }
    out.append("}\n")
  }

  /// A name with its comma and colon, and a string, or null where it is empty.
  @inline(__always)
  private static func appendMember(
    _ name: StaticString, _ value: Span<UInt8>, limit: Int, to out: inout TextWriter
  ) {
    out.append(name)
    if value.isEmpty {
      out.append("null")
      return
    }
    out.append(ASCIIByte.quote)
    LogText.appendJSON(value, limit: limit, to: &out)
    out.append(ASCIIByte.quote)
  }

  /// Milliseconds with three decimals, which are microseconds.
  @inline(__always)
  static func appendMilliseconds(_ nanoseconds: Int64, to out: inout TextWriter) {
    let microseconds = max(0, nanoseconds) / 1_000
    out.append(decimal: UInt64(microseconds / 1_000))
    out.append(thousandths: microseconds % 1_000)
  }
}
