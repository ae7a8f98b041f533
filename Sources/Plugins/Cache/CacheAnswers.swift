import DataPlane
import HTTPCodec
import Runtime

/// How a stored response answers a request: as a whole, in part, or by saying that the client has it.
enum CacheAnswers {
  /// - file: Has its content, where that is not in memory.
  static func answer(
    _ exchange: Exchange, _ facts: CacheRequest, _ stored: StoredResponse, contentOf file: StreamedFile? = nil
  ) -> PluginAnswer {
    let message = stored.message
    let whole = 0..<(file?.entry.contentBytes ?? message.content.count)
    if message.status == 200 {
      if isNotModified(exchange, facts, stored) {
        return PluginAnswer(stored: 304, lines: StoredLines.withoutContent(message.lines))
      }
      if let range = facts.range, exchange.request.method == .get, mayBePart(exchange, facts, stored) {
        let input = exchange.input
        switch RequestedRange(range, in: input.bytes, length: whole.count) {
        case .whole: break
        case .part(let part):
          let line = "Content-Range: bytes \(part.lowerBound)-\(part.upperBound - 1)/\(whole.count)\r\n"
          return answer(206, message.lines + line.utf8, message, part, file)
        case .unsatisfiable:
          let line = "Content-Range: bytes */\(whole.count)\r\n"
          return PluginAnswer(stored: 416, lines: StoredLines.withoutContent(message.lines) + line.utf8)
        }
      }
    }
    return answer(message.status, message.lines, message, whole, file)
  }

  private static func answer(
    _ status: UInt16, _ lines: [UInt8], _ message: StoredResponse.Message, _ range: Range<Int>,
    _ file: StreamedFile?
  ) -> PluginAnswer {
    if let file { return PluginAnswer(stored: status, lines: lines, pieces: file.content(range)) }
    return PluginAnswer(stored: status, lines: lines, content: message.content, range: range)
  }

  /// RFC 9111 §4.3.2, RFC 9110 §13.2.2.
  private static func isNotModified(
    _ exchange: Exchange, _ facts: CacheRequest, _ stored: StoredResponse
  ) -> Bool {
    let input = exchange.input
    if let list = facts.ifNoneMatch {
      return EntityTags.matches(list, in: input.bytes, stored.message.entityTag)
    }
    guard let since = facts.ifModifiedSince, let time = HTTPDate.read(since, in: input.bytes),
      let modified = stored.message.lastModified
    else { return false }
    return modified <= time
  }

  /// RFC 9110 §13.1.5: a validator has to be the same by the strong comparison.
  private static func mayBePart(_ exchange: Exchange, _ facts: CacheRequest, _ stored: StoredResponse) -> Bool
  {
    guard let ifRange = facts.ifRange else { return true }
    let validator = exchange.copy(ifRange)
    if validator.first == UInt8(ascii: "\"") { return validator == stored.message.entityTag }
    // A date is weak where the response could have changed twice in that second.
    let input = exchange.input
    guard let time = HTTPDate.read(ifRange, in: input.bytes), let modified = stored.message.lastModified,
      let dateText = StoredLines.value(of: dateName, in: stored.message.lines),
      let date = HTTPDate.read(ByteRange(start: 0, count: dateText.count), in: dateText.span)
    else { return false }
    return time == modified && date > modified
  }

  private static let dateName = Array("date".utf8)
}

/// What clients are told of the cache (RFC 9211).
struct CacheFields {
  let tellsStandard: Bool
  let tellsX: Bool

  /// A stored response.
  /// - age: Seconds.
  /// - left: Seconds for which it is fresh still.
  /// - wasForwarded: The endpoint was asked first.
  /// - collapsedFor: Why it would have been forwarded, where another request was in its place: that is no hit
  ///   (RFC 9211 §2.1 and §2.6).
  func write(
    _ result: CacheResult, age: Int64, left: Int64, wasForwarded: Bool = false,
    collapsedFor: CacheVisit.Reason? = nil, to exchange: Exchange
  ) {
    exchange.noteCache(result)
    exchange.editResponseLines { lines in
      lines.append("Age: ", decimal: Int(clamping: age))
      lines.endLine()
      if tellsStandard {
        if wasForwarded {
          lines += result == .revalidated ? Self.validated : Self.failed
        } else if let collapsedFor {
          lines += "Cache-Status: penstock; fwd=\(collapsedFor.rawValue); ttl=".utf8
        } else {
          lines += Self.hit
        }
        if left < 0 { lines.append(UInt8(ascii: "-")) }
        lines.append(decimal: Int(clamping: left.magnitude))
        if collapsedFor != nil { lines += Self.collapsed }
        lines.endLine()
      }
      writeX(result, to: &lines)
    }
  }

  /// What was forwarded.
  func write(
    _ result: CacheResult, _ reason: CacheVisit.Reason, isStored: Bool, isCollapsed: Bool,
    to exchange: Exchange
  ) {
    exchange.noteCache(result)
    exchange.editResponseLines { lines in
      if tellsStandard {
        lines += "Cache-Status: penstock; fwd=\(reason.rawValue)".utf8
        if isStored { lines += Self.stored }
        // It has waited for another, in vain (RFC 9211 §2.6).
        if isCollapsed { lines += Self.notCollapsed }
        lines.endLine()
      }
      writeX(result, to: &lines)
    }
  }

  private func writeX(_ result: CacheResult, to lines: inout [UInt8]) {
    guard tellsX else { return }
    lines += "X-Cache-Status: \(result.name.description.uppercased())\r\n".utf8
  }

  private static let hit = Array("Cache-Status: penstock; hit; ttl=".utf8)
  private static let stored = Array("; stored".utf8)
  private static let validated = Array("Cache-Status: penstock; fwd=stale; fwd-status=304; ttl=".utf8)
  private static let failed = Array("Cache-Status: penstock; fwd=stale; detail=failed; ttl=".utf8)
  private static let collapsed = Array("; collapsed".utf8)
  private static let notCollapsed = Array("; collapsed=?0".utf8)
}
