import HTTPCodec
import Resources

/// A regular expression for whole paths, whose groups a text refers to. Belongs to one worker.
struct MatchedPath {
  private let expression: RegularExpression

  /// Nil where the pattern cannot be compiled, which was found out when the configuration was read.
  init?(_ pattern: String) {
    guard let expression = try? RegularExpression(pattern, hasGroups: true) else { return nil }
    self.expression = expression
  }

  /// Where the groups are, the whole path first; nil where it does not match.
  func groups(in path: [UInt8]) -> [Range<Int>]? { expression.groups(in: path.span) }

  /// How many groups a pattern has.
  static func groupCount(_ pattern: String, option: String) throws(OptionProblem) -> Int {
    do throws(RegularExpressionError) {
      return min(try RegularExpression(pattern, hasGroups: true).groupCount, RegularExpression.groupsMax)
    } catch {
      throw OptionProblem(option, "this is not a regular expression", hint: error.message)
    }
  }
}

/// Checks of texts that become URIs.
enum URITemplate {
  /// What is written in a URI is ASCII without spaces.
  static func checkLiterals(of template: TextTemplate, option: String) throws(OptionProblem) {
    for case .literal(let bytes) in template.parts {
      for byte in bytes where byte <= 0x20 || byte >= 0x7F || forbidden.contains(byte) {
        var encoded: [UInt8] = []
        URIText.appendEncoded(byte, to: &encoded)
        throw OptionProblem(
          option, "there is a character that a URI cannot have",
          hint: "write it as \(String(decoding: encoded, as: UTF8.self))")
      }
    }
  }

  private static let forbidden = Array("\"<>\\^`{|}".utf8)
}

/// Paths that are compared with those of requests.
enum NormalPath {
  /// A path in the one form to which requests' paths are brought.
  static func read(_ text: String, option: String) throws(OptionProblem) -> [UInt8] {
    let bytes = Array(text.utf8)
    guard bytes.first == UInt8(ascii: "/") else {
      throw OptionProblem(option, "the path does not begin with \"/\"", hint: "write \"/\(text)\"")
    }
    var canonical = bytes
    do throws(HTTP1Error) {
      _ = try PathNormaliser.normalise(bytes.span, into: &canonical)
    } catch {
      throw OptionProblem(option, "this is not a path", hint: "other characters are percent-encoded")
    }
    guard canonical == bytes else {
      throw OptionProblem(
        option, "the path is not normalised, and would never match",
        hint: "write \"\(String(decoding: canonical, as: UTF8.self))\"")
    }
    return bytes
  }
}
