/// Why a stream or a connection is ended (RFC 9113 §7). Codes that are not listed are carried as they
/// are: they mean no more than ``internalError`` does.
public struct HTTP2ErrorCode: RawRepresentable, Error, Hashable, Sendable {
  public let rawValue: UInt32

  @inlinable
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// An orderly end.
  public static let noError = HTTP2ErrorCode(rawValue: 0x0)
  public static let protocolError = HTTP2ErrorCode(rawValue: 0x1)
  public static let internalError = HTTP2ErrorCode(rawValue: 0x2)
  public static let flowControlError = HTTP2ErrorCode(rawValue: 0x3)
  /// SETTINGS was not acknowledged in time.
  public static let settingsTimeout = HTTP2ErrorCode(rawValue: 0x4)
  /// A frame came for a stream that was half-closed.
  public static let streamClosed = HTTP2ErrorCode(rawValue: 0x5)
  public static let frameSizeError = HTTP2ErrorCode(rawValue: 0x6)
  /// The stream was not processed at all: the request may be sent again.
  public static let refusedStream = HTTP2ErrorCode(rawValue: 0x7)
  /// The stream is no longer needed.
  public static let cancel = HTTP2ErrorCode(rawValue: 0x8)
  /// The field compression context cannot be kept: always the end of the connection.
  public static let compressionError = HTTP2ErrorCode(rawValue: 0x9)
  /// The connection behind a CONNECT was reset.
  public static let connectError = HTTP2ErrorCode(rawValue: 0xA)
  public static let enhanceYourCalm = HTTP2ErrorCode(rawValue: 0xB)
  /// The transport is not good enough (RFC 9113 §9.2).
  public static let inadequateSecurity = HTTP2ErrorCode(rawValue: 0xC)
  /// The peer wants HTTP/1.1 for this request.
  public static let http11Required = HTTP2ErrorCode(rawValue: 0xD)
}

extension HTTP2ErrorCode: CustomStringConvertible {
  /// The name that RFC 9113 §7 gives, for logs; the number for others.
  public var description: String {
    switch self {
    case .noError: "NO_ERROR"
    case .protocolError: "PROTOCOL_ERROR"
    case .internalError: "INTERNAL_ERROR"
    case .flowControlError: "FLOW_CONTROL_ERROR"
    case .settingsTimeout: "SETTINGS_TIMEOUT"
    case .streamClosed: "STREAM_CLOSED"
    case .frameSizeError: "FRAME_SIZE_ERROR"
    case .refusedStream: "REFUSED_STREAM"
    case .cancel: "CANCEL"
    case .compressionError: "COMPRESSION_ERROR"
    case .connectError: "CONNECT_ERROR"
    case .enhanceYourCalm: "ENHANCE_YOUR_CALM"
    case .inadequateSecurity: "INADEQUATE_SECURITY"
    case .http11Required: "HTTP_1_1_REQUIRED"
    default: "error \(rawValue)"
    }
  }
}
