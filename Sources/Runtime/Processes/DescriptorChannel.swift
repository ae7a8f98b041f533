import CLinux
import Glibc

/// One end of a connection between two processes of one machine that carries messages, and descriptors
/// with them.
///
/// Made as a pair, of which another process inherits one end: there is no name that anybody could connect
/// to. Calls block, up to their time limit: not for the threads of tasks or workers. From any thread; a
/// message is sent whole or not at all.
public final class DescriptorChannel: Sendable {
  /// What a message may hold.
  public static let bytesMax = 65_536
  public static let handlesMax = 128

  /// A message as it came. The descriptors belong to whoever receives it.
  public struct Message: Equatable, Sendable {
    public var bytes: [UInt8]
    public var handles: [Int32]

    public init(bytes: [UInt8], handles: [Int32] = []) {
      self.bytes = bytes
      self.handles = handles
    }
  }

  /// For ``ChildProcess``.
  let handle: Int32

  private init(_ handle: Int32) { self.handle = handle }

  deinit { _ = Glibc.close(handle) }

  /// Two ends that are connected with each other.
  public static func pair() throws(SystemError) -> (DescriptorChannel, DescriptorChannel) {
    var handles: [Int32] = [-1, -1]
    // Room for the two numbers that the call writes.
    let status = unsafe penstock_socket_pair(&handles)
    if status < 0 { throw SystemError(-status) }
    return (DescriptorChannel(handles[0]), DescriptorChannel(handles[1]))
  }

  /// The end that this process was started with. It is closed on the start of further programs.
  ///
  /// - Throws: where the descriptor is no such end, or a process of another user made it.
  public init(inherited handle: Int32) throws(SystemError) {
    let status = penstock_adopt_socket_pair(handle)
    if status < 0 { throw SystemError(-status) }
    self.handle = handle
  }

  /// Sends a message, and copies of descriptors, which stay open here.
  ///
  /// - Parameter milliseconds: how long to wait where the other end does not read; then ``SystemError/timedOut``.
  public func send(_ message: Message, milliseconds: Int32) throws(SystemError) {
    precondition(!message.bytes.isEmpty && message.bytes.count <= Self.bytesMax)
    precondition(message.handles.count <= Self.handlesMax)
    // Both arrays are read during the call only.
    let status = unsafe penstock_send_handles(
      handle, message.bytes, message.bytes.count, message.handles, message.handles.count, milliseconds)
    if status < 0 { throw SystemError(-status) }
  }

  /// The next message; nil when the other end is closed.
  ///
  /// - Parameter milliseconds: how long to wait, or -1; then ``SystemError/timedOut``.
  public func receive(milliseconds: Int32) throws(SystemError) -> Message? {
    var bytes = [UInt8](repeating: 0, count: Self.bytesMax)
    var handles = [Int32](repeating: -1, count: Self.handlesMax)
    var handleCount = handles.count
    // The call writes at most as much as it is told that there is room.
    let count = unsafe penstock_receive_handles(
      handle, &bytes, bytes.count, &handles, &handleCount, milliseconds)
    if count < 0 { throw SystemError(Int32(-count)) }
    if count == 0 { return nil }
    return Message(bytes: Array(bytes[..<count]), handles: Array(handles[..<handleCount]))
  }

  /// Closes a descriptor that came with a message.
  public static func close(_ handle: Int32) { _ = Glibc.close(handle) }

  /// Ends the connection for both; whoever waits for a message gets nil.
  public func shutDown() { _ = shutdown(handle, Int32(SHUT_RDWR)) }
}
