/// Why the admin API did not do or answer what it was asked.
public enum ClientFailure: Error, Sendable, Equatable {
  /// The question itself is wrong: an address, a file, an option.
  case usage(String)
  /// No connection came about.
  case unreachable(AdminAddress, reason: String, isRefused: Bool)
  /// There was a connection, and it broke before the answer was whole.
  case interrupted(AdminAddress, reason: String)
  /// The answer was not whole in time.
  case timedOut(AdminAddress, after: Duration)
  /// The answer is more than is taken.
  case answerTooLarge(bytesMax: Int)
  /// The answer is not what the admin API says.
  case malformedAnswer(String)
  /// The gateway refused, and says why (RFC 9457).
  case refused(ProblemReport)
  /// An answer that no gateway gives: something else listens there.
  case unexpected(status: Int, excerpt: String)
}

extension ClientFailure: CustomStringConvertible {
  /// For the one at the terminal: what is wrong, and what to do.
  public var description: String {
    switch self {
    case .usage(let message): message
    case .unreachable(let address, let reason, let isRefused):
      "cannot connect to \(address): \(reason)\n"
        + (isRefused
          ? "Is the gateway running, with `admin: {address: …}` in its configuration? "
          : "")
        + "--admin or PENSTOCK_ADMIN says where it is."
    case .interrupted(let address, let reason):
      "the connection to \(address) broke before the answer was there: \(reason)"
    case .timedOut(let address, let time):
      "\(address) did not answer within \(time.components.seconds) s"
    case .answerTooLarge(let bytesMax): "the answer has more than \(bytesMax) bytes: ask for less"
    case .malformedAnswer(let message): "the answer is not that of an admin API: \(message)"
    case .refused(let problem): problem.description
    case .unexpected(let status, let excerpt):
      "the answer is not that of an admin API: status \(status)" + (excerpt.isEmpty ? "" : ": \(excerpt)")
    }
  }
}
