/// Reads `http2`: towards clients, and of a service.
enum HTTP2Reader {
  static let clientKeys = [
    "streams", "windowBytes", "connectionWindowBytes", "frameBytes", "headerTableBytes", "connectionAge",
    "connectionAgeGrace",
  ]
  static let serviceKeys = ["streams", "connections", "windowBytes", "connectionWindowBytes"]

  /// Each stream that is open holds memory.
  static let streamsMax = 10_000
  static let connectionsMax = 1_000
  /// RFC 9113 §6.9.1: 2³¹ − 1.
  static let windowMax: UInt64 = 0x7FFF_FFFF
  /// A smaller stream window makes a round trip of each frame of content.
  static let streamWindowRange = 16_384...windowMax
  /// RFC 9113 §6.9.2: it begins with 65,535, and WINDOW_UPDATE can only add to that.
  static let connectionWindowRange = 65_535...windowMax
  /// RFC 9113 §6.5.2.
  static let frameRange: ClosedRange<UInt64> = 16_384...16_777_215
  /// Each connection holds such a table.
  static let headerTableMax: UInt64 = 65_536

  static func readClients(_ value: Value) -> HTTP2Settings? {
    guard let mapping = MappingReader(value, keys: clientKeys) else { return nil }
    var settings = HTTP2Settings()
    mapping.read("streams", into: &settings.streams) { $0.integer(in: 1...streamsMax) }
    readWindows(mapping, &settings.windowBytes, &settings.connectionWindowBytes)
    mapping.read("frameBytes", into: &settings.frameBytes) { $0.size(in: frameRange).map(Int.init) }
    mapping.read("headerTableBytes", into: &settings.headerTableBytes) {
      $0.size(in: 0...headerTableMax).map(Int.init)
    }
    mapping.read("connectionAge", into: &settings.connectionAge) { value -> Duration?? in
      value.isWord("none") ? .some(nil) : value.duration().map(Optional.some)
    }
    mapping.read("connectionAgeGrace", into: &settings.connectionAgeGrace) { $0.duration() }
    return settings
  }

  static func readService(_ value: Value) -> ServiceHTTP2? {
    guard let mapping = MappingReader(value, keys: serviceKeys) else { return nil }
    var settings = ServiceHTTP2()
    mapping.read("streams", into: &settings.streams) { $0.integer(in: 1...streamsMax) }
    mapping.read("connections", into: &settings.connections) { $0.integer(in: 1...connectionsMax) }
    readWindows(mapping, &settings.windowBytes, &settings.connectionWindowBytes)
    return settings
  }

  private static func readWindows(_ mapping: MappingReader, _ stream: inout Int, _ connection: inout Int) {
    mapping.read("windowBytes", into: &stream) { $0.size(in: streamWindowRange).map(Int.init) }
    mapping.read("connectionWindowBytes", into: &connection) {
      $0.size(in: connectionWindowRange).map(Int.init)
    }
    if connection < stream {
      // The larger of the two was written; the default of the other does not fit it.
      (mapping["connectionWindowBytes"] ?? mapping["windowBytes"])?.report(
        "connectionWindowBytes (\(connection)) is less than windowBytes (\(stream))",
        hint: "all streams share the connection's")
    }
  }
}
