extension Service {
  func write(to writer: inout DocumentWriter) {
    writer.pair("name", text: name)
    writer.list("endpoints", endpoints) { writer, endpoint in
      writer.pair("address", text: endpoint.address.description)
      writer.pair("weight", word: "\(endpoint.weight)")
    }
    writer.pair("protocol", word: self.protocol.rawValue)
    if let tls {
      writer.block("tls") { tls.write(to: &$0) }
    } else {
      writer.pair("tls", word: "off")
    }
    writer.block("http2") { writer in
      writer.pair("streams", word: "\(http2.streams)")
      writer.pair("connections", word: "\(http2.connections)")
      writer.pair("windowBytes", word: SizeText.format(UInt64(http2.windowBytes)))
      writer.pair("connectionWindowBytes", word: SizeText.format(UInt64(http2.connectionWindowBytes)))
    }
    writer.pair("balance", balance.written)
    writer.pair("slowStart", word: DurationText.format(slowStart))
    writeHealth(to: &writer)
    writeEjection(to: &writer)
    writer.block("timeouts") { writer in
      writer.pair("connect", word: DurationText.format(timeouts.connect))
      writer.pair("response", word: DurationText.format(timeouts.response))
      writer.pair("idle", word: DurationText.format(timeouts.idle))
      writer.pair("tunnel", word: DurationText.format(timeouts.tunnel))
    }
    writeRetries(to: &writer)
    writer.block("pool") { writer in
      writer.pair("idleMax", word: "\(pool.idleMax)")
      writer.pair("idleTimeout", word: DurationText.format(pool.idleTimeout))
      writer.pair("lifetime", word: DurationText.format(pool.lifetime))
    }
    writer.block("limits") { writer in
      writer.pair("connections", word: "\(limits.connections)")
      writer.pair("pending", word: "\(limits.pending)")
      writer.pair("inFlight", word: "\(limits.inFlight)")
      writer.pair("pendingTimeout", word: DurationText.format(limits.pendingTimeout))
      guard let adaptive = limits.adaptive else { return writer.pair("adaptive", word: "off") }
      writer.block("adaptive") { writer in
        writer.pair("minimum", word: "\(adaptive.minimum)")
        writer.pair("tolerance", word: "\(adaptive.tolerancePercent)%")
      }
    }
    plugins.write(to: &writer)
  }

  private func writeHealth(to writer: inout DocumentWriter) {
    guard let health else {
      writer.pair("health", word: "off")
      return
    }
    writer.block("health") { writer in
      switch health.probe {
      case .tcp: writer.pair("tcp", word: "true")
      case .http(let path, let host, let statuses):
        writer.pair("path", text: path)
        if let host { writer.pair("host", text: host) }
        let ranges = statuses.isEmpty ? HealthReader.healthy : statuses
        let texts = ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
        writer.pair("expect", texts: texts)
      case .grpc(let service, let host):
        writer.pair("grpc", flow: ["service": .text(service)])
        if let host { writer.pair("host", text: host) }
      }
      writer.pair("interval", word: DurationText.format(health.interval))
      writer.pair("timeout", word: DurationText.format(health.timeout))
      writer.pair("rise", word: "\(health.rise)")
      writer.pair("fall", word: "\(health.fall)")
      if let port = health.port { writer.pair("port", word: "\(port)") }
      health.tls.write("tls", to: &writer)
    }
  }

  private func writeEjection(to writer: inout DocumentWriter) {
    guard let ejection else {
      writer.pair("ejection", word: "off")
      return
    }
    writer.block("ejection") { writer in
      writer.pair("consecutiveFailures", word: "\(ejection.consecutiveFailures)")
      writer.pair("duration", word: DurationText.format(ejection.duration))
      writer.pair("durationMax", word: DurationText.format(ejection.durationMax))
      writer.pair("percentMax", word: "\(ejection.percentMax)%")
    }
  }

  private func writeRetries(to writer: inout DocumentWriter) {
    guard let retries else {
      writer.pair("retries", word: "off")
      return
    }
    writer.block("retries") { writer in
      writer.pair("attempts", word: "\(retries.attempts)")
      // A set has no order of its own; a file has to have one.
      let words = RetriesReader.words.filter { retries.on.contains($0.value) }.map(\.word)
      let statuses = retries.on.compactMap { condition -> UInt16? in
        guard case .status(let status) = condition else { return nil }
        return status
      }
      writer.pair("on", texts: words + statuses.sorted().map { "\($0)" })
      writer.pair("budget", word: "\(retries.budgetPercent)%")
      writer.pair("nonIdempotent", word: "\(retries.nonIdempotent)")
    }
  }
}

extension Balance {
  fileprivate var written: WrittenValue {
    switch self {
    case .roundRobin: .word("round-robin")
    case .leastRequest: .word("least-request")
    case .hash(.clientIP): .flow(["hash": .flow(["by": .word("client-ip")])])
    case .hash(.header(let name)): Balance.hash(by: "header", name)
    case .hash(.cookie(let name)): Balance.hash(by: "cookie", name)
    case .hash(.query(let name)): Balance.hash(by: "query", name)
    case .sticky(let cookie): .flow(["sticky": .flow(["cookie": .text(cookie)])])
    }
  }

  private static func hash(by kind: String, _ name: String) -> WrittenValue {
    .flow(["hash": .flow(["by": .flow([kind: .text(name)])])])
  }
}
