import Runtime

/// Sees what arrives on the connections of a ``SimulatedNetwork``, as a tap on the wire would.
///
/// Connections are known by their numbers. What is lost, or comes to an end that is closed, is not seen.
public protocol NetworkObserver: AnyObject {
  /// A connection attempt has come to somebody who listens.
  func connected(_ connection: Int, from: SocketAddress, to: SocketAddress)

  /// Bytes have arrived: at the end that accepted, or at the one that connected.
  func arrived(_ connection: Int, atServer: Bool, _ bytes: [UInt8])

  /// Nothing more will arrive at this end.
  func ended(_ connection: Int, atServer: Bool, byReset: Bool)
}
