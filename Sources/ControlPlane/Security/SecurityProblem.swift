/// Why files of TLS cannot be used, for the person who has to put them right.
public struct SecurityProblem: Error, Sendable, Equatable, CustomStringConvertible {
  /// Whose they are, as the configuration has it: `certificates[0] (shop)`.
  public var place: String
  /// The files concerned; where there are several, together they are wrong.
  public var paths: [String]
  /// What is wrong, and what would be right.
  public var message: String

  public init(place: String, paths: [String], message: String) {
    self.place = place
    self.paths = paths
    self.message = message
  }

  /// `certificates[0] (shop): shop.pem, shop.key: the private key does not belong to the certificate; …`
  public var description: String {
    let files = paths.isEmpty ? "" : paths.joined(separator: ", ") + ": "
    return "\(place): \(files)\(message)"
  }
}
