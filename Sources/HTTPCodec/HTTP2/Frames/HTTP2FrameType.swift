/// The types of frames (RFC 9113 §6, RFC 9218 §7.1), as numbers: types that are not known are skipped.
enum HTTP2FrameType {
  static let data: UInt8 = 0x0
  static let headers: UInt8 = 0x1
  static let priority: UInt8 = 0x2
  static let resetStream: UInt8 = 0x3
  static let settings: UInt8 = 0x4
  static let pushPromise: UInt8 = 0x5
  static let ping: UInt8 = 0x6
  static let goAway: UInt8 = 0x7
  static let windowUpdate: UInt8 = 0x8
  static let continuation: UInt8 = 0x9
  static let priorityUpdate: UInt8 = 0x10
}

/// The flags of frames; which of them have a meaning depends on the type (RFC 9113 §6).
enum HTTP2FrameFlags {
  static let endStream: UInt8 = 0x1
  static let acknowledgement: UInt8 = 0x1
  static let endHeaders: UInt8 = 0x4
  static let padded: UInt8 = 0x8
  static let priority: UInt8 = 0x20
}
