import Glibc
import HTTPCodec

@testable import Plugins

/// What requests ask of a stored response. The input is a line each with a length, a range, a tag and a list of tags;
/// the rest is a date.
///
/// - A range is what a plain reading makes of it, and lies within the content.
/// - A tag is in a list where a plain reading finds it, and says nothing of others.
/// - A date comes back from what it is when it is written.
enum CacheConditionChecks {
  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    var lines = input.split(separator: 10, maxSplits: 4, omittingEmptySubsequences: false).map(Array.init)
    while lines.count < 5 { lines.append([]) }
    let length = lines[0].reduce(0) { ($0 * 10 + Int($1 & 15)) % 100_000 }
    try checkRange(lines[1], length)
    try checkTags(lines[2], lines[3])
    try checkDate(lines[4])
  }

  private static func checkRange(_ value: [UInt8], _ length: Int) throws(BrokenProperty) {
    let range = RequestedRange(ByteRange(start: 0, count: value.count), in: value.span, length: length)
    if case .part(let part) = range {
      try require(!part.isEmpty && part.upperBound <= length, "\(part) of \(length) bytes")
    }
    let expected = plainRange(value, length)
    try require(range == expected, "\(range) of \(length) bytes, not \(expected)")
  }

  private static func plainRange(_ value: [UInt8], _ length: Int) -> RequestedRange {
    let text = String(decoding: value.map { $0 < 128 ? $0 : 63 }, as: UTF8.self)
    guard let match = text.wholeMatch(of: /(?i:bytes)=[ \t]*([0-9]*)-([0-9]*)[ \t]*/) else { return .whole }
    // What is longer than any number is larger than any content.
    func number(_ digits: Substring) -> Int? { digits.isEmpty ? nil : Int(digits) ?? .max / 2 }
    switch (number(match.1), number(match.2)) {
    case (nil, nil): return .whole
    case (nil, let suffix?):
      return suffix == 0 || length == 0 ? .unsatisfiable : .part(max(0, length - suffix)..<length)
    case (let first?, let last):
      if let last, last < first { return .whole }
      return first < length ? .part(first..<min(length, (last ?? length) + 1)) : .unsatisfiable
    }
  }

  private static func checkTags(_ tag: [UInt8], _ list: [UInt8]) throws(BrokenProperty) {
    let all = ByteRange(start: 0, count: list.count)
    guard EntityTags.isValid(ByteRange(start: 0, count: tag.count), in: tag.span) else { return }
    let opaque = tag.drop { $0 != UInt8(ascii: "\"") }.dropFirst().dropLast()
    let pieces = list.split(separator: UInt8(ascii: "\""), omittingEmptySubsequences: false)
    // Behind the last quote that has no other there is no tag.
    let tags = pieces.indices.filter { $0 % 2 == 1 && $0 < pieces.count - 1 }.map { Array(pieces[$0]) }
    let isAny = list.filter { $0 != 32 && $0 != 9 } == [UInt8(ascii: "*")]
    let isFound = EntityTags.matches(all, in: list.span, tag)
    try require(isFound == (isAny || tags.contains(Array(opaque))), "in the list: \(isFound)")
    try require(EntityTags.match(tag, tag), "a tag is not like itself")
    try require(
      EntityTags.matches(ByteRange(start: 0, count: tag.count), in: tag.span, tag), "a tag is not in itself")
  }

  private static func checkDate(_ text: [UInt8]) throws(BrokenProperty) {
    guard let seconds = HTTPDate.seconds(text.span, now: 1_700_000_000) else { return }
    let written = write(seconds)
    let again = HTTPDate.seconds(written.span, now: 0)
    try require(
      again == seconds, "\(seconds), written as \(String(decoding: written, as: UTF8.self)): \(again as Any)")
  }

  /// By the system.
  private static func write(_ seconds: Int64) -> [UInt8] {
    var time = time_t(seconds)
    var parts = unsafe tm()
    // Both live as long as the call; of the structure, no pointer is read.
    unsafe gmtime_r(&time, &parts)
    let (year, month, day) = unsafe (parts.tm_year + 1_900, Int(parts.tm_mon), parts.tm_mday)
    let (weekday, clock) = unsafe (Int(parts.tm_wday), [parts.tm_hour, parts.tm_min, parts.tm_sec])
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let date = "\(days[weekday]), \(two(day)) \(months[month]) \(year)"
    return Array("\(date) \(clock.map(two).joined(separator: ":")) GMT".utf8)
  }
}
