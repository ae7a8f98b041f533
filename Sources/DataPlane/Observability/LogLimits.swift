/// How much of each value a log line holds. The rest is cut, so that no client decides how long a
/// line is.
enum LogLimits {
  /// The default limit of a request target.
  static let targetBytesMax = 8_192
  static let refererBytesMax = 2_048
  static let userAgentBytesMax = 1_024
  static let requestIDBytesMax = 256
  /// What is shown of a request that could not be parsed.
  static let receivedBytesMax = 256
  /// Names of routes, services, endpoints; methods and hosts.
  static let nameBytesMax = 512

  /// Keys, numbers and marks of a line: 600 bytes at most, and something to spare.
  static let fixedBytes = 1_024
  /// The longest escape, `\u00XX`, stands for one byte.
  static let bytesPerByteMax = 6
}
