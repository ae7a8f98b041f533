extension Configuration {
  /// The configuration as a file that loads to an equal one: defaults written out, in a fixed order.
  ///
  /// A condition that is absent (hosts, methods, …) stays absent: that is how a file says "any".
  /// Pure, from any thread but a worker's.
  public var yaml: String {
    var writer = YAMLWriter()
    writer.pair("workers", workers.map(String.init) ?? "auto")
    writer.list("listeners", listeners) { $1.write(to: &$0) }
    writer.list("certificates", certificates) { $1.write(to: &$0) }
    if let admin {
      writer.block("admin") { $0.pair("address", YAMLWriter.scalar(admin.address.description)) }
    } else {
      writer.pair("admin", "off")
    }
    writer.block("http") { http.write(to: &$0) }
    if let accessLog {
      writer.block("accessLog") { writer in
        writer.pair("format", accessLog.format.rawValue)
        writer.pair("path", YAMLWriter.scalar(accessLog.path))
      }
    } else {
      writer.pair("accessLog", "off")
    }
    writer.list("services", services) { $1.write(to: &$0) }
    writer.list("routes", routes) { $1.write(to: &$0) }
    return writer.text
  }
}

extension HTTPSettings {
  func write(to writer: inout YAMLWriter) {
    writer.block("timeouts") { writer in
      writer.pair("head", DurationText.format(timeouts.head))
      writer.pair("body", DurationText.format(timeouts.body))
      writer.pair("send", DurationText.format(timeouts.send))
      writer.pair("idle", DurationText.format(timeouts.idle))
      writer.pair("drain", DurationText.format(timeouts.drain))
    }
    writer.block("limits") { writer in
      writer.pair("headBytes", SizeText.format(UInt64(limits.headBytes)))
      writer.pair("targetBytes", SizeText.format(UInt64(limits.targetBytes)))
      writer.pair("fields", "\(limits.fields)")
      writer.pair("bodyBytes", limits.bodyBytes.map(SizeText.format) ?? "none")
      writer.pair("connections", "\(limits.connections)")
      writer.pair("requestsPerConnection", limits.requestsPerConnection.map(String.init) ?? "none")
      writer.pair("handshakes", "\(limits.handshakes)")
    }
    writer.block("forwarding") { writer in
      writer.pair("xForwarded", "\(forwarding.xForwarded)")
      writer.pair("forwarded", "\(forwarding.forwarded)")
      writer.pair("requestId", "\(forwarding.requestID)")
      writer.pair("via", "\(forwarding.via)")
      writer.pair("clientCertificate", "\(forwarding.clientCertificate)")
      writer.pair("trustedNetworks", texts: forwarding.trustedNetworks.map(\.text))
    }
    writer.block("http2") { http2.write(to: &$0) }
  }
}

extension HTTP2Settings {
  fileprivate func write(to writer: inout YAMLWriter) {
    writer.pair("streams", "\(streams)")
    writer.pair("windowBytes", SizeText.format(UInt64(windowBytes)))
    writer.pair("connectionWindowBytes", SizeText.format(UInt64(connectionWindowBytes)))
    writer.pair("frameBytes", SizeText.format(UInt64(frameBytes)))
    writer.pair("headerTableBytes", SizeText.format(UInt64(headerTableBytes)))
    writer.pair("connectionAge", connectionAge.map(DurationText.format) ?? "none")
    writer.pair("connectionAgeGrace", DurationText.format(connectionAgeGrace))
  }
}
