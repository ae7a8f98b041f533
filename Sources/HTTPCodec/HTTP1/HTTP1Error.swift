/// Why a message was refused: one case for each rule.
///
/// The offending bytes are not part of the error; they came from a stranger.
public enum HTTP1Error: UInt8, Error, Equatable, Sendable, CaseIterable {
  // The first line
  case tooManyEmptyLines, invalidMethod, methodTooLong
  case invalidTarget, targetTooLong, wrongTargetForm, unsupportedScheme, userInformation
  case malformedVersion, unsupportedVersion
  case invalidStatusLine, invalidStatus
  // Lines
  case bareCarriageReturn, bareLineFeed, controlCharacter
  case headTooLarge, tooManyFields
  case leadingWhiteSpace, foldedLine, whiteSpaceBeforeColon, emptyFieldName, invalidFieldName
  // Fields with a meaning
  case missingHost, severalHosts, invalidHost, severalCredentials
  case invalidContentLength, severalContentLengths, contentLengthAndTransferEncoding
  case transferEncodingInHTTP10, invalidTransferEncoding, unknownTransferCoding
  case unknownExpectation, invalidConnection, connectionTooLong
  // Chunked content
  case invalidChunkSize, invalidChunkExtension, chunkExtensionsTooLong, missingChunkEnd
  case trailersTooLarge
  // Paths
  case invalidPath, invalidPercentEncoding, nullInPath, pathAboveRoot

  /// The status to answer a request with; for a response the gateway answers 502 whatever it is.
  public var status: UInt16 {
    switch self {
    case .targetTooLong: 414
    case .unknownExpectation: 417
    case .headTooLarge, .tooManyFields, .connectionTooLong, .trailersTooLarge: 431
    case .methodTooLong, .unknownTransferCoding: 501
    case .unsupportedVersion: 505
    default: 400
    }
  }
}

extension HTTP1Error: CustomStringConvertible {
  /// For logs: what is wrong, and which rule says so.
  public var description: String {
    switch self {
    case .tooManyEmptyLines: "too many empty lines before the request line (RFC 9112 §2.2)"
    case .invalidMethod: "the method is not a token (RFC 9110 §9.1)"
    case .methodTooLong: "the method is longer than any that is known"
    case .invalidTarget: "the request target holds a character that it must not (RFC 9112 §3.2)"
    case .targetTooLong: "the request target is longer than the limit"
    case .wrongTargetForm: "the form of the request target does not fit the method (RFC 9112 §3.2)"
    case .unsupportedScheme: "the request target has a scheme other than http and https"
    case .userInformation: "the request target names a user (RFC 9110 §4.2.4)"
    case .malformedVersion: "the HTTP version is malformed (RFC 9112 §2.3)"
    case .unsupportedVersion: "the major version of HTTP is not supported (RFC 9110 §15.6.6)"
    case .invalidStatusLine: "the status line is malformed (RFC 9112 §4)"
    case .invalidStatus: "the status code is not within 100 to 599 (RFC 9110 §15)"
    case .bareCarriageReturn: "a carriage return is not followed by a line feed (RFC 9112 §2.2)"
    case .bareLineFeed: "a line ends with a line feed alone (RFC 9112 §2.2)"
    case .controlCharacter: "a line holds a control character (RFC 9110 §5.5)"
    case .headTooLarge: "the head is longer than the limit"
    case .tooManyFields: "there are more field lines than the limit"
    case .leadingWhiteSpace: "white space stands before the first field (RFC 9112 §2.2)"
    case .foldedLine: "a field is folded over two lines (RFC 9112 §5.2)"
    case .whiteSpaceBeforeColon: "white space stands before a colon (RFC 9112 §5.1)"
    case .emptyFieldName: "a field has no name (RFC 9112 §5)"
    case .invalidFieldName: "a field name is not a token (RFC 9110 §5.1)"
    default: meaningDescription
    }
  }

  private var meaningDescription: String {
    switch self {
    case .missingHost: "an HTTP/1.1 request has no Host (RFC 9112 §3.2)"
    case .severalHosts: "there is more than one Host (RFC 9112 §3.2)"
    case .invalidHost: "the host or port is malformed or empty (RFC 9112 §3.2)"
    case .severalCredentials: "there is more than one Authorization (RFC 9110 §11.6.2)"
    case .invalidContentLength: "Content-Length is not a number that can be used (RFC 9110 §8.6)"
    case .severalContentLengths: "there is more than one Content-Length (RFC 9112 §6.3)"
    case .contentLengthAndTransferEncoding:
      "there are both Content-Length and Transfer-Encoding (RFC 9112 §6.1)"
    case .transferEncodingInHTTP10: "an HTTP/1.0 message has Transfer-Encoding (RFC 9112 §6.1)"
    case .invalidTransferEncoding:
      "Transfer-Encoding is malformed, or chunked is not the last coding or is repeated (RFC 9112 §6.1)"
    case .unknownTransferCoding: "Transfer-Encoding names a coding other than chunked (RFC 9112 §6.1)"
    case .unknownExpectation: "Expect asks for more than 100-continue (RFC 9110 §10.1.1)"
    case .invalidConnection: "Connection is not a list of tokens (RFC 9110 §7.6.1)"
    case .connectionTooLong: "Connection is longer than the limit"
    case .invalidChunkSize: "a chunk size is malformed or too large (RFC 9112 §7.1)"
    case .invalidChunkExtension: "a chunk extension is malformed (RFC 9112 §7.1.1)"
    case .chunkExtensionsTooLong: "chunk extensions are longer than the limit (RFC 9112 §7.1.1)"
    case .missingChunkEnd: "chunk data is not followed by the end of the line (RFC 9112 §7.1)"
    case .trailersTooLarge: "the trailer section is longer than the limit"
    case .invalidPath: "the path does not begin with a slash, or holds a character that it must not"
    case .invalidPercentEncoding: "a percent sign is not followed by two hexadecimal digits (RFC 3986 §2.1)"
    case .nullInPath: "the path holds an encoded NUL"
    case .pathAboveRoot: "the dot segments of the path lead above the root (RFC 3986 §5.2.4)"
    default: "the message is malformed"
    }
  }
}
