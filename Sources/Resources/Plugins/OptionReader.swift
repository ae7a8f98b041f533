/// Reads options by what they are declared as, so that every plugin reports alike.
enum OptionReader {
  /// Nil after a report.
  /// - other: keys that are allowed beside the options.
  static func read(_ value: Value, _ options: [PluginOption], other: [String] = []) -> OptionValues? {
    let errorsBefore = value.diagnostics.count
    guard let mapping = MappingReader(value, keys: other + options.map(\.name)) else { return nil }
    var values = OptionValues(options)
    for option in options {
      guard let member = mapping[option.name] else {
        if option.isRequired {
          value.report("\(quoted(option.name)) is missing", hint: option.summary.lowercasedFirst)
        }
        continue
      }
      if let result = read(member, option.type) { values.set(option.name, result) }
    }
    return value.diagnostics.count == errorsBefore ? values : nil
  }

  private static func read(_ value: Value, _ type: OptionType) -> OptionValue? {
    switch type {
    case .flag: return value.boolean().map(OptionValue.flag)
    case .integer(let range): return value.integer(in: range).map(OptionValue.integer)
    case .percentage: return readShare(value).map(OptionValue.share)
    case .text(let wanted): return readLine(value, wanted).map(OptionValue.text)
    case .content(let bytesMax): return readContent(value, bytesMax).map(OptionValue.text)
    case .choice(let words): return value.choice(words.map { ($0, OptionValue.text($0)) })
    case .duration(let range): return readDuration(value, range).map(OptionValue.duration)
    case .size(let range): return value.size(in: range).map(OptionValue.size)
    case .token(let wanted): return readToken(value, wanted).map(OptionValue.text)
    case .fieldValue: return readFieldValue(value).map(OptionValue.text)
    case .network: return value.network().map(OptionValue.network)
    case .regex: return readExpression(value).map(OptionValue.text)
    case .file(let wanted): return value.filePath(wanted).map(OptionValue.text)
    case .service: return value.name().map(OptionValue.text)
    case .list(let type, let maximum): return readList(value, type, maximum)
    case .map(let keys, let type, let maximum): return readMap(value, keys, type, maximum)
    case .object(let options): return read(value, options).map(OptionValue.object)
    }
  }

  private static func readList(_ value: Value, _ type: OptionType, _ maximum: Int) -> OptionValue? {
    // One item need not be a list.
    let nodes: [Value]
    if case .sequence = value.node.content {
      guard let items = value.items() else { return nil }
      nodes = items
    } else {
      nodes = [value]
    }
    guard nodes.count <= maximum else {
      value.report("\(nodes.count) are too many", hint: "at most \(maximum)")
      return nil
    }
    let items = nodes.compactMap { read($0, type) }
    return items.count == nodes.count ? .list(items) : nil
  }

  private static func readMap(
    _ value: Value, _ keys: OptionType, _ type: OptionType, _ maximum: Int
  ) -> OptionValue? {
    guard let entries = MappingReader.uniqueEntries(of: value) else { return nil }
    guard entries.count <= maximum else {
      value.report("\(entries.count) are too many", hint: "at most \(maximum)")
      return nil
    }
    let read = entries.compactMap { entry -> OptionEntry? in
      let place = Place.key(entry.key, value.place)
      let key = Value(
        node: YAMLNode(.scalar(entry.key, isPlain: false), at: entry.keyPosition), place: place,
        diagnostics: value.diagnostics)
      let member = Value(node: entry.value, place: place, diagnostics: value.diagnostics)
      guard self.read(key, keys) != nil, let result = self.read(member, type) else { return nil }
      return OptionEntry(key: entry.key, value: result)
    }
    return read.count == entries.count ? .map(read) : nil
  }

  /// Longer names are a mistake, and nothing that a head has room for.
  private static let tokenBytesMax = 200

  private static func readToken(_ value: Value, _ wanted: String) -> String? {
    guard let token = value.token(wanted) else { return nil }
    guard token.utf8.count <= tokenBytesMax else {
      value.report("\(token.utf8.count) bytes are too many for \(wanted)", hint: "at most \(tokenBytesMax)")
      return nil
    }
    return token
  }

  private static func readShare(_ value: Value) -> Int? {
    guard let text = value.text("a percentage such as 20%") else { return nil }
    guard let share = ShareText.parse(text) else {
      value.report("\(quoted(text)) is not a percentage", hint: "from 0% to 100%, such as 20% or 0.5%")
      return nil
    }
    return share
  }

  private static func readLine(_ value: Value, _ wanted: String) -> String? {
    guard let text = value.text(wanted) else { return nil }
    guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
      value.report("\(wanted) is of one line, without control characters")
      return nil
    }
    return text
  }

  private static func readContent(_ value: Value, _ bytesMax: Int) -> String? {
    guard let text = value.plainText, !value.isNull || text.isEmpty else {
      value.reportWrongType("a text")
      return nil
    }
    guard text.utf8.count <= bytesMax else {
      value.report("\(text.utf8.count) bytes are too many", hint: "at most \(bytesMax)")
      return nil
    }
    return text
  }

  private static func readFieldValue(_ value: Value) -> String? {
    guard !value.isNull, let text = value.plainText else {
      value.reportWrongType("a field's value")
      return nil
    }
    guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }), text.utf8.count <= 8_192,
      text.utf8.first != 0x20, text.utf8.last != 0x20
    else {
      value.report(
        "this is not a field's value", hint: "one line without control characters, at most 8192 bytes")
      return nil
    }
    return text
  }

  private static func readDuration(_ value: Value, _ range: ClosedRange<Duration>) -> Duration? {
    guard let duration = value.duration(allowsZero: range.lowerBound <= .zero, longest: range.upperBound)
    else { return nil }
    guard duration >= range.lowerBound else {
      value.report(
        "the duration \(quoted(value.plainText ?? "")) is out of range",
        hint: "at least \(DurationText.format(range.lowerBound))")
      return nil
    }
    return duration
  }

  private static func readExpression(_ value: Value) -> String? {
    guard let text = value.text("a regular expression") else { return nil }
    do throws(RegularExpressionError) {
      _ = try RegularExpression(text)
      return text
    } catch {
      value.report("\(quoted(text)) is not a regular expression", hint: error.message)
      return nil
    }
  }
}

/// Percentages, in millionths of the whole.
enum ShareText {
  static func parse(_ text: String) -> Int? {
    let digits = text.hasSuffix("%") ? text.dropLast() : text[...]
    let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 2, let whole = parts.first, (1...3).contains(whole.utf8.count),
      digits.utf8.allSatisfy({ isDigit($0) || $0 == UInt8(ascii: ".") }), let percent = Int(whole)
    else { return nil }
    var rest = 0
    if parts.count == 2 {
      guard (1...4).contains(parts[1].utf8.count), let fraction = Int(parts[1]) else { return nil }
      rest = fraction
      for _ in parts[1].utf8.count..<4 { rest *= 10 }
    }
    let share = percent * 10_000 + rest
    return share <= 1_000_000 ? share : nil
  }

  static func format(_ share: Int) -> String {
    var rest = "\(share % 10_000 + 10_000)".dropFirst()
    while rest.hasSuffix("0") { rest = rest.dropLast() }
    return "\(share / 10_000)" + (rest.isEmpty ? "" : ".\(rest)") + "%"
  }
}

extension String {
  /// For a sentence that follows a colon.
  fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}
