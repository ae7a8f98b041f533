/// Why a header block was not taken.
///
/// After ``malformed(_:)`` and ``refused(_:)`` the whole block has been decoded: the compression
/// context is in step, and other streams of the connection are not affected.
public enum HTTP2BlockError: Error, Equatable, Sendable {
  /// The connection ends with this code: COMPRESSION_ERROR where the compression context is lost,
  /// ENHANCE_YOUR_CALM where the block stands for far more than any head may have.
  case connection(HTTP2ErrorCode)
  /// The message is malformed: a stream error of type PROTOCOL_ERROR (RFC 9113 §8.1.1).
  case malformed(HTTP2Malformation)
  /// The message is well-formed, and is answered with ``HTTP1Error/status``; the stream then ends.
  case refused(HTTP1Error)
}

/// What makes a message of HTTP/2 malformed (RFC 9113 §8.1.1): one case for each rule.
public enum HTTP2Malformation: UInt8, Error, Equatable, Sendable, CaseIterable {
  // Names and values
  case emptyName, upperCaseName, invalidName, invalidValue, whiteSpaceAroundValue
  // Fields
  case connectionField, teOtherThanTrailers
  // Pseudo-fields
  case unknownPseudoField, repeatedPseudoField, latePseudoField, wrongPseudoField, missingPseudoField
  case emptyPseudoField, invalidProtocol, invalidStatus, switchingProtocols
  // What contradicts itself
  case hostDiffers, contentLengthDiffers, interimResponseEndsStream
}

extension HTTP2Malformation: CustomStringConvertible {
  /// For logs: what is wrong, and which rule says so.
  public var description: String {
    switch self {
    case .emptyName: "a field has no name (RFC 9110 §5.1)"
    case .upperCaseName: "a field name has upper-case letters (RFC 9113 §8.2.1)"
    case .invalidName: "a field name is not a token (RFC 9113 §8.2.1)"
    case .invalidValue: "a field value holds a control character (RFC 9113 §8.2.1)"
    case .whiteSpaceAroundValue: "a field value begins or ends with white space (RFC 9113 §8.2.1)"
    case .connectionField: "a field that is specific to a connection (RFC 9113 §8.2.2)"
    case .teOtherThanTrailers: "TE is something other than trailers (RFC 9113 §8.2.2)"
    case .unknownPseudoField: "a pseudo-field that is not defined (RFC 9113 §8.3)"
    case .repeatedPseudoField: "a pseudo-field is repeated (RFC 9113 §8.3)"
    case .latePseudoField: "a pseudo-field stands behind a field (RFC 9113 §8.3)"
    case .wrongPseudoField: "a pseudo-field does not belong in this message (RFC 9113 §8.3)"
    case .missingPseudoField: "a pseudo-field is missing (RFC 9113 §8.3.1)"
    case .emptyPseudoField: "a pseudo-field is empty (RFC 9113 §8.3.1)"
    case .invalidProtocol: ":protocol is not a token (RFC 8441 §4)"
    case .invalidStatus: ":status is not three digits (RFC 9113 §8.3.2)"
    case .switchingProtocols: "101 is not part of HTTP/2 (RFC 9113 §8.6)"
    case .hostDiffers: "Host differs from :authority (RFC 9113 §8.3.1)"
    case .contentLengthDiffers: "Content-Length is not the length of the content (RFC 9113 §8.1.1)"
    case .interimResponseEndsStream: "an interim response ends the stream (RFC 9113 §8.1)"
    }
  }
}
