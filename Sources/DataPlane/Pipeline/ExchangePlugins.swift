import HTTPCodec
import Resources
import Runtime

/// What a plugin keeps until the exchange is over.
struct KeptForPlugin {
  let plugin: Plugin
  let object: AnyObject
}

/// An exchange's way through its plugins.
extension Exchange {
  /// The request's head meets its plugins, from ``pluginPosition`` on.
  ///
  /// - Returns: the answer of the one that does not let it pass. Where ``waitsForPlugin`` is set, one of them
  ///   has to wait for something.
  func meetPlugins() -> Answer? {
    guard var chain else { return nil }
    while pluginPosition < chain.plugins.count {
      let plugin = chain.plugins[pluginPosition]
      if plugin.phases.contains(.requestHead) {
        do throws(PluginFailure) {
          switch try plugin.requestHead(self) {
          case .next: break
          case .answer(let answer): return answered(chain.links[pluginPosition], answer)
          case .wait:
            waitsForPlugin = true
            return nil
          }
        } catch {
          return failed(chain.links[pluginPosition], error)
        }
      }
      if let other = pass(chain) { chain = other }
    }
    return nil
  }

  private func answered(_ link: PluginChain.Link, _ answer: PluginAnswer) -> Answer {
    link.counters.figures.answers &+= 1
    return .plugin(answer)
  }

  /// Goes on where a plugin has to wait. On the exchange's task.
  func waitForPlugins() async -> Answer? {
    if data.hasRequestsEnough { return .shed(.inFlight) }
    data.requestsAtPlugins += 1
    defer { data.requestsAtPlugins -= 1 }
    while waitsForPlugin, let chain {
      waitsForPlugin = false
      let link = chain.links[pluginPosition]
      do throws(PluginFailure) {
        let verdict = try await link.plugin.finishWaiting(self)
        if let contentRefusal { return contentRefusal }
        // Plugins that let requests pass when they get no answer in time must not do so at a client's word.
        if callDeadline <= worker.now { return .deadlineExceeded }
        switch verdict {
        case .next: _ = pass(chain)
        case .answer(let answer):
          return hasLostClient ? .clientClosed : answered(link, answer)
        case .wait: return failed(link, PluginFailure("it waits without end"))
        }
      } catch {
        return failed(link, error)
      }
      if hasLostClient { return .clientClosed }
      if let answer = meetPlugins() { return answer }
    }
    return nil
  }

  /// Goes to the next plugin; where this one has found out who calls, to those of the consumer as well.
  /// - Returns: the consumer's chain, where it takes over.
  @inline(__always)
  private func pass(_ chain: PluginChain) -> PluginChain? {
    pluginPosition += 1
    return consumer === chainConsumer ? nil : passToConsumer(chain)
  }

  private func passToConsumer(_ chain: PluginChain) -> PluginChain? {
    guard let consumer else { return nil }
    if chainConsumer == nil, consumer.plugins.isEmpty { return nil }
    for plugin in chain.plugins[chainStart..<pluginPosition] where plugin.phases.contains(.end) {
      passedPlugins.append(plugin)
    }
    let priority = chain.links[pluginPosition - 1].priority
    // Another one may be known than before: who was let pass without credentials shows some after all.
    let shared = chainForAll ?? chain
    chainForAll = shared
    chainConsumer = consumer
    let own = consumer.plugins.isEmpty ? shared : shared.chain(for: consumer, of: data)
    self.chain = own
    pluginPosition = own.position(behind: priority)
    chainStart = pluginPosition
    return own
  }

  /// Which service takes the request is settled after this.
  @inline(__always)
  func chooseUpstream() -> Answer? {
    pluginPhases.isDisjoint(with: [.upstreamChoice, .chosenService]) ? nil : chooseByPlugins()
  }

  private func chooseByPlugins() -> Answer? {
    guard let chain else { return nil }
    for link in chain.links where link.plugin.phases.contains(.upstreamChoice) {
      do throws(PluginFailure) {
        try link.plugin.upstreamChoice(self)
      } catch {
        return failed(link, error)
      }
    }
    return askAboutService()
  }

  /// The service is settled: those that speak for one have the last word, the nearest to it first.
  private func askAboutService() -> Answer? {
    guard let chain, chain.phases.contains(.chosenService) else { return nil }
    for link in chain.links.reversed() where link.plugin.phases.contains(.chosenService) {
      do throws(PluginFailure) {
        if let answer = try link.plugin.serviceChosen(self) { return answered(link, answer) }
      } catch {
        return failed(link, error)
      }
    }
    return nil
  }

  /// A final head is about to be written: an endpoint's, or the gateway's own.
  @inline(__always)
  func editResponse(isEndpoints: Bool = false) {
    if pluginPhases.contains(.responseHead) { editByPlugins(isEndpoints) }
  }

  private func editByPlugins(_ isEndpoints: Bool) {
    guard let chain else { return }
    isEndpointsResponse = isEndpoints
    // An answer of the gateway's own may take the place of a response that nothing was sent of.
    if hasEditedResponse { return }
    hasEditedResponse = true
    // Another answer may take its place, for which plugins have their say anew.
    if responseBytesMax != .max || chain.phases.contains(.heldResponse), earlierResponseEdits == nil {
      earlierResponseEdits = responseEdits.copy
    }
    // By index: the list that is gone through would be counted as well.
    var position = 0
    while position < chain.plugins.count {
      let plugin = chain.plugins[position]
      if plugin.phases.contains(.responseHead) {
        do throws(PluginFailure) {
          try plugin.responseHead(self)
        } catch {
          // The response goes on as it is: it is not the endpoint's fault.
          note(chain.links[position], error)
        }
      }
      position += 1
    }
  }

  /// The response that was edited is not sent: another takes its place.
  func forgetResponseEdits() {
    guard hasEditedResponse, let edits = earlierResponseEdits else { return }
    responseEdits.restore(edits)
    hasEditedResponse = false
  }

  /// All content of the response has come.
  func changeContent(_ content: inout [UInt8]) {
    guard let chain else { return }
    for link in chain.links where link.plugin.phases.contains(.heldResponse) {
      do throws(PluginFailure) {
        try link.plugin.heldResponse(self, &content)
      } catch {
        note(link, error)
      }
    }
  }

  /// Lets those know that have let the request pass.
  func endPlugins() {
    if !passedPlugins.isEmpty {
      for plugin in passedPlugins { plugin.end(self) }
      passedPlugins.removeAll(keepingCapacity: true)
    }
    if pluginPhases.contains(.end), let chain {
      for plugin in chain.plugins[chainStart..<pluginPosition] where plugin.phases.contains(.end) {
        plugin.end(self)
      }
    }
    // To empty all at once goes through what the runtime knows of the elements' type.
    while keptForPlugins.popLast() != nil {}
    chain = nil
    followsContent = false
    if replacement != nil { replacement = nil }
    hasReplacement = false
    pluginPosition = 0
    chainStart = 0
    waitsForPlugin = false
    if uploadPace.isLimited { uploadPace.end(at: worker.now) }
    if downloadPace.isLimited { downloadPace.end(at: worker.now) }
    responseBytesMax = .max
    // To empty what is empty costs as much as to fill it.
    if earlierResponseEdits != nil { earlierResponseEdits = nil }
    if chainConsumer != nil {
      chainConsumer = nil
      chainForAll = nil
    }
    hasEditedResponse = false
    if consumer != nil { consumer = nil }
    requestEdits.removeAll()
    responseEdits.removeAll()
    rewrittenTarget.reset(to: Self.rewrittenTargetBytes)
    if !rewrittenHost.isEmpty { rewrittenHost.removeAll(keepingCapacity: true) }
    if !droppedCookies.isEmpty { droppedCookies.removeAll(keepingCapacity: true) }
  }

  /// Has the log and the counters say that the plugin whose turn it is cannot do all that it is for; the request
  /// goes on. In ``Plugin/requestHead(_:)`` and ``Plugin/finishWaiting(_:)``.
  public func note(_ failure: PluginFailure) {
    guard let chain, pluginPosition < chain.links.count else { return }
    note(chain.links[pluginPosition], failure)
  }

  private func failed(_ link: PluginChain.Link, _ failure: PluginFailure) -> Answer {
    note(link, failure)
    return .pluginFailure
  }

  private func note(_ link: PluginChain.Link, _ failure: PluginFailure) {
    link.counters.figures.failures &+= 1
    data.report(failure, of: link.attached)
  }
}
