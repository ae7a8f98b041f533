extension Network {
  /// Reads a network in CIDR form, or an address alone, as the option type does; for files of them.
  ///
  /// Throws what is wrong; the path is empty.
  public static func read(_ text: String) throws(OptionProblem) -> Network {
    do throws(Failure) {
      return try parse(text)
    } catch {
      switch error {
      case .hostBits(let right):
        throw OptionProblem(
          "", "\(quoted(text)) has bits set after its prefix", hint: "write \(quoted(right))")
      case .malformed:
        throw OptionProblem(
          "", "\(quoted(text)) is not a network", hint: "such as 10.0.0.0/8, 2001:db8::/32 or 192.0.2.1")
      }
    }
  }
}
