import HTTPCodec

/// A field line of a message that a simulated peer received.
public struct SimulatedField: Equatable, Sendable {
  public let name: String
  public let value: String

  public init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}

/// Lists of fields, asked by name.
public protocol SimulatedMessage {
  var fields: [SimulatedField] { get }
}

extension SimulatedMessage {
  /// The value of the first field of this name, whatever its case.
  public subscript(_ name: String) -> String? { values(of: name).first }

  public func values(of name: String) -> [String] {
    fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
  }
}

/// A request as a ``SimulatedOrigin`` received it.
public struct SimulatedRequest: SimulatedMessage, Sendable {
  public var method = ""
  public var target = ""
  public var fields: [SimulatedField] = []
  public var body: [UInt8] = []
  public var trailers: [SimulatedField] = []
  /// All of its content came.
  public var isComplete = false
  /// The number of its connection, counted from 0 in the order in which the origin accepted them.
  public var connection = 0
  /// The number of its connection in the network, and of its stream where it came by HTTP/2.
  public var wire = 0
  public var streamID: UInt32 = 0
}

/// A response as a ``SimulatedClient`` received it.
public struct SimulatedResponse: SimulatedMessage, Sendable {
  public var status = 0
  public var fields: [SimulatedField] = []
  public var body: [UInt8] = []
  public var trailers: [SimulatedField] = []
  /// Statuses of the interim responses before it.
  public var interim: [Int] = []
  /// The connection may carry another request.
  public var isPersistent = false

  public var text: String { String(decoding: body, as: UTF8.self) }
}

/// Why a simulated peer did not get what it waited for.
public enum StreamFailure: Error, Equatable, Sendable {
  /// Ended by the other side before anything came.
  case closed
  /// Ended by the other side in the middle of a message.
  case cutShort
  case reset
  case refused
  case timedOut
  case malformed(HTTP1Error)
}
