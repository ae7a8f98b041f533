/// Which stored responses are to be taken out.
public enum PurgeQuestion: Sendable, Equatable {
  /// As clients ask for it, with scheme and host.
  case url(String)
  /// What such a URL begins with.
  case prefix(String)
  /// A word of the fields that carry tags.
  case tag(String)
  case everything
}

extension GatewayClient {
  /// Takes stored responses out of the caches.
  ///
  /// - zone: nil: of all zones.
  /// - Returns: how many there were.
  public func purge(_ question: PurgeQuestion, zone: String? = nil) async throws(ClientFailure) -> Int {
    let content = JSONWriter.object { writer in
      switch question {
      case .url(let url): writer.member("url", url)
      case .prefix(let prefix): writer.member("prefix", prefix)
      case .tag(let tag): writer.member("tag", tag)
      case .everything:
        writer.key("everything")
        writer.raw("true")
      }
      writer.member("zone", zone)
    }
    // All entries may have to be looked at, and files to be removed.
    let document = try await document(
      AdminRequest(.post, "/v1/cache/purge", json: content), timeout: .seconds(120))
    guard let count: Int = document["purged"]?.number() else {
      throw .malformedAnswer("it does not say how many there were")
    }
    return count
  }
}
