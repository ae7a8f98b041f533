import Resources
import Runtime

/// How a worker's drain begins.
public enum DrainManner: Sendable {
  /// Nobody takes over. Listeners take what waits and close; what is idle closes at once.
  case alone
  /// Another process accepts at all addresses but these. What is idle may wait for its next request, which
  /// is answered with `Connection: close`, until ``DataPlaneWorker/endPatience()``.
  case handover(except: Set<SocketAddress>)

  /// Whether connections that wait at an address are another process's.
  func leaves(_ address: SocketAddress) -> Bool {
    switch self {
    case .alone: false
    case .handover(let exceptions): !exceptions.contains(address)
    }
  }

  var isPatient: Bool {
    switch self {
    case .alone: false
    case .handover: true
    }
  }
}

/// The listening sockets' way from one process to the next. On the worker's thread.
extension DataPlaneWorker {
  /// Copies of all listening sockets, which the caller closes.
  public func duplicateListeners() throws(SystemError) -> [HandoverSocket] {
    var sockets: [HandoverSocket] = []
    do throws(SystemError) {
      for listener in listeners.open {
        for socket in listener.sockets {
          sockets.append(
            HandoverSocket(
              address: listener.requestedAddress, worker: worker.index,
              handle: try worker.seam.duplicate(socket.handle)))
        }
      }
    } catch {
      for socket in sockets { worker.seam.close(socket.handle, reset: false) }
      throw error
    }
    return sockets
  }

  /// Closes what was inherited and no listener has taken.
  /// - Returns: the addresses.
  public func dropRestOfInheritance() -> Set<SocketAddress> {
    let rest = inheritance.takeRest()
    for handle in rest.values.joined() { worker.seam.close(handle, reset: false) }
    return Set(rest.keys)
  }

  /// Begins to accept, where listeners were held by an inheritance.
  /// - Returns: sockets that could not be opened.
  public func startAccepting() -> [ListenFailure] {
    guard inheritance.isHeld else { return [] }
    inheritance = ListenerInheritance()
    return listeners.startAccepting()
  }
}

extension BoundListener {
  /// The sockets that were inherited for an address, or a new one. None where that has to wait for
  /// ``startAccepting()``.
  static func open(_ address: SocketAddress, _ data: DataPlaneWorker) throws(SystemError)
    -> [Socket]
  {
    let seam = data.worker.seam
    guard data.inheritance.waits(with: address) else {
      let socket = try openNew(address, data)
      if data.inheritance.isHeld { seam.setAccepting(false, on: socket.handle) }
      return [socket]
    }
    var sockets: [Socket] = []
    var problem: SystemError?
    for handle in data.inheritance.claim(address) {
      do {
        sockets.append(try Socket.listen(adopting: handle, worker: data.worker))
      } catch {
        seam.close(handle, reset: false)
        problem = error
      }
    }
    guard let problem else { return sockets }
    for socket in sockets { socket.close() }
    throw problem
  }

  private static func openNew(_ address: SocketAddress, _ data: DataPlaneWorker) throws(SystemError)
    -> Socket
  {
    let socket = try Socket.listen(on: address, backlog: backlog, worker: data.worker)
    data.worker.seam.awaitFirstBytes(on: socket.handle)
    return socket
  }

  /// Accepts what an inheritance held back.
  func startAccepting() throws(SystemError) {
    if sockets.isEmpty { add(try Self.openNew(requestedAddress, data)) }
    setAccepting(true)
  }
}
