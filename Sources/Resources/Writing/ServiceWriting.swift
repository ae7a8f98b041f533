extension Service {
  func write(to writer: inout YAMLWriter) {
    writer.pair("name", YAMLWriter.scalar(name))
    writer.list("endpoints", endpoints) { writer, endpoint in
      writer.pair("address", YAMLWriter.scalar(endpoint.address.description))
      writer.pair("weight", "\(endpoint.weight)")
    }
    writer.pair("protocol", self.protocol.rawValue)
    if let tls {
      writer.block("tls") { tls.write(to: &$0) }
    } else {
      writer.pair("tls", "off")
    }
    writer.block("http2") { writer in
      writer.pair("streams", "\(http2.streams)")
      writer.pair("connections", "\(http2.connections)")
      writer.pair("windowBytes", SizeText.format(UInt64(http2.windowBytes)))
      writer.pair("connectionWindowBytes", SizeText.format(UInt64(http2.connectionWindowBytes)))
    }
    writer.pair("balance", balance.flowText)
    writer.pair("slowStart", DurationText.format(slowStart))
    writeHealth(to: &writer)
    writeEjection(to: &writer)
    writer.block("timeouts") { writer in
      writer.pair("connect", DurationText.format(timeouts.connect))
      writer.pair("response", DurationText.format(timeouts.response))
      writer.pair("idle", DurationText.format(timeouts.idle))
      writer.pair("tunnel", DurationText.format(timeouts.tunnel))
    }
    writeRetries(to: &writer)
    writer.block("pool") { writer in
      writer.pair("idleMax", "\(pool.idleMax)")
      writer.pair("idleTimeout", DurationText.format(pool.idleTimeout))
      writer.pair("lifetime", DurationText.format(pool.lifetime))
    }
    writer.block("limits") { writer in
      writer.pair("connections", "\(limits.connections)")
      writer.pair("pending", "\(limits.pending)")
      writer.pair("inFlight", "\(limits.inFlight)")
      writer.pair("pendingTimeout", DurationText.format(limits.pendingTimeout))
    }
  }

  private func writeHealth(to writer: inout YAMLWriter) {
    guard let health else {
      writer.pair("health", "off")
      return
    }
    writer.block("health") { writer in
      switch health.probe {
      case .tcp: writer.pair("tcp", "true")
      case .http(let path, let host, let statuses):
        writer.pair("path", YAMLWriter.scalar(path))
        if let host { writer.pair("host", YAMLWriter.scalar(host)) }
        let ranges = statuses.isEmpty ? HealthReader.healthy : statuses
        let texts = ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
        writer.pair("expect", texts: texts)
      case .grpc(let service, let host):
        writer.pair("grpc", "{service: \(YAMLWriter.scalar(service))}")
        if let host { writer.pair("host", YAMLWriter.scalar(host)) }
      }
      writer.pair("interval", DurationText.format(health.interval))
      writer.pair("timeout", DurationText.format(health.timeout))
      writer.pair("rise", "\(health.rise)")
      writer.pair("fall", "\(health.fall)")
      if let port = health.port { writer.pair("port", "\(port)") }
      health.tls.write("tls", to: &writer)
    }
  }

  private func writeEjection(to writer: inout YAMLWriter) {
    guard let ejection else {
      writer.pair("ejection", "off")
      return
    }
    writer.block("ejection") { writer in
      writer.pair("consecutiveFailures", "\(ejection.consecutiveFailures)")
      writer.pair("duration", DurationText.format(ejection.duration))
      writer.pair("durationMax", DurationText.format(ejection.durationMax))
      writer.pair("percentMax", "\(ejection.percentMax)%")
    }
  }

  private func writeRetries(to writer: inout YAMLWriter) {
    guard let retries else {
      writer.pair("retries", "off")
      return
    }
    writer.block("retries") { writer in
      writer.pair("attempts", "\(retries.attempts)")
      // A set has no order of its own; a file has to have one.
      let words = RetriesReader.words.filter { retries.on.contains($0.value) }.map(\.word)
      let statuses = (500...599).filter { retries.on.contains(.status(UInt16($0))) }.map { "\($0)" }
      // Some YAML readers take a bare "on" for a boolean; this one does not, others may see this.
      writer.pair("\"on\"", texts: words + statuses)
      writer.pair("budget", "\(retries.budgetPercent)%")
      writer.pair("nonIdempotent", "\(retries.nonIdempotent)")
    }
  }
}

extension Balance {
  var flowText: String {
    switch self {
    case .roundRobin: "round-robin"
    case .leastRequest: "least-request"
    case .hash(.clientIP): "{hash: {by: client-ip}}"
    case .hash(.header(let name)): "{hash: {by: {header: \(YAMLWriter.scalar(name))}}}"
    case .hash(.cookie(let name)): "{hash: {by: {cookie: \(YAMLWriter.scalar(name))}}}"
    case .hash(.query(let name)): "{hash: {by: {query: \(YAMLWriter.scalar(name))}}}"
    case .sticky(let cookie): "{sticky: {cookie: \(YAMLWriter.scalar(cookie))}}"
    }
  }
}
