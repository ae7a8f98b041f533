import HTTPCodec
import Runtime

/// The content of an endpoint's response, for plugins that want to see it: as it is staged for the client, without
/// framing.
extension Exchange {
  /// Has the plugins of the phase `responseContent` see this response's content. In ``Plugin/responseHead(_:)``.
  /// Without effect where another plugin changes it: what is stored of it would be changed once more.
  /// - Returns: whether they will.
  public func followContent() -> Bool {
    followsContent = holdBytesMax == 0 && download.replacedStatus == nil
    return followsContent
  }

  /// Tells of content in `response`.
  func follow(_ range: Range<Int>) {
    let response = response
    tellFollowers(response.bytes.extracting(range))
  }

  /// The same for chunks: they are decoded a second time, which only costs those who want to see them.
  func followChunks() {
    let response = response
    let bytes = response.bytes
    var decoder = download.decoder
    var position = 0
    while case .data(let range)? = try? decoder.next(bytes, from: position) {
      tellFollowers(bytes.extracting(range.range))
      position = range.end
    }
  }

  private func tellFollowers(_ content: Span<UInt8>) {
    guard let chain else { return }
    for plugin in chain.plugins where plugin.phases.contains(.responseContent) {
      plugin.responseContent(self, content)
    }
  }

  /// All of it has come, and its framing says so.
  func endFollowing() {
    download.isFollowed = false
    guard let chain else { return }
    for plugin in chain.plugins where plugin.phases.contains(.responseContent) {
      plugin.responseContentEnded(self)
    }
  }
}

/// Answers of plugins in place of an endpoint's, or of the gateway's own.
extension Exchange {
  /// - status: Of the head that has come, or of the answer that says that none will.
  @inline(__always)
  func findReplacement(_ status: UInt16, isEndpoints: Bool) -> PluginAnswer? {
    pluginPhases.contains(.replacement) ? askForReplacement(status, isEndpoints) : nil
  }

  private func askForReplacement(_ status: UInt16, _ isEndpoints: Bool) -> PluginAnswer? {
    guard let chain else { return nil }
    for link in chain.links where link.plugin.phases.contains(.replacement) {
      if let answer = link.plugin.replacement(self, for: status, isEndpoints: isEndpoints) {
        link.counters.figures.answers &+= 1
        return answer
      }
    }
    return nil
  }

  /// What a plugin has in place of an answer that tells of a service's failure.
  func replaced(_ answer: Answer) -> Answer {
    guard pluginPhases.contains(.replacement), answer.tellsOfFailure, !hasReplacement else {
      return answer
    }
    return findReplacement(answer.status, isEndpoints: false).map { .plugin($0) } ?? answer
  }
}

extension Answer {
  /// The service could not be asked, or has failed to answer.
  fileprivate var tellsOfFailure: Bool {
    switch self {
    case .noEndpoint, .overloaded, .shed, .connectFailure, .connectTimeout, .upstreamFailure,
      .responseTimeout:
      true
    default: false
    }
  }
}
