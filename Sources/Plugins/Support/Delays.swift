import Resources

/// Requests that a plugin of one worker holds back, so that there cannot be any number of them.
struct DelayCount {
  private var count = 0
  /// Some 100 KiB of buffers each; what comes above is not held back.
  static let countMax = 10_000

  var mayBegin: Bool { count < Self.countMax }
  mutating func begin() { count += 1 }
  mutating func end() { count -= 1 }
}

extension Duration {
  /// Of a duration that an option has checked: at most some hours.
  var wholeNanoseconds: Int64 {
    components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
  }
}
