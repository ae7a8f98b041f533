/// One option of a plugin: what readers accept, the JSON schema shows and the documentation lists.
public struct PluginOption: Sendable {
  public var name: String
  public var type: OptionType
  /// What holds where it is left out; nil: nothing does, and the plugin says what that means.
  public var standard: OptionValue?
  public var isRequired: Bool
  /// One sentence.
  public var summary: String

  public init(_ name: String, _ type: OptionType, default standard: OptionValue? = nil, _ summary: String) {
    self.name = name
    self.type = type
    self.standard = standard
    isRequired = false
    self.summary = summary
  }

  /// An option that has to be given.
  public static func required(_ name: String, _ type: OptionType, _ summary: String) -> PluginOption {
    var option = PluginOption(name, type, summary)
    option.isRequired = true
    return option
  }
}

/// What an option's value may be.
public indirect enum OptionType: Sendable {
  case flag
  case integer(ClosedRange<Int>)
  /// From 0 to 100, with up to four digits behind the point and with or without a percent sign.
  case percentage
  /// A text of one line that is not empty; a kind of thing, for messages: `a user's name`.
  case text(String)
  /// A text that may have several lines and may be empty.
  case content(bytesMax: Int)
  case choice([String])
  case duration(ClosedRange<Duration>)
  case size(ClosedRange<UInt64>)
  /// A name of a header field, cookie or method (RFC 9110 §5.6.2); a kind of thing, for messages.
  case token(String)
  /// A value of a header field: printable, without line ends.
  case fieldValue
  /// An address, or a network in CIDR form.
  case network
  /// RE2.
  case regex
  case file(String)
  /// The name of a service, which has to exist for as long as the option names it. Not for credentials.
  case service
  case list(OptionType, maximum: Int)
  /// Keys are of the first type: a text, a token, a choice.
  case map(OptionType, OptionType, maximum: Int)
  case object([PluginOption])
}

/// A value that an option has been given, or has by default.
public enum OptionValue: Sendable, Equatable {
  case flag(Bool)
  case integer(Int)
  /// In millionths of the whole: 100 % is 1,000,000.
  case share(Int)
  case text(String)
  case duration(Duration)
  case size(UInt64)
  case network(Network)
  case list([OptionValue])
  /// In the order in which they are written.
  case map([OptionEntry])
  case object(OptionValues)
}

/// A key of a mapping whose keys are free, and its value.
public struct OptionEntry: Sendable, Equatable {
  public var key: String
  public var value: OptionValue

  public init(key: String, value: OptionValue) {
    self.key = key
    self.value = value
  }
}
