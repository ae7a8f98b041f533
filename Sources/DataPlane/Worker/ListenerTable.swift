import Resources
import Runtime
import TLS

/// A listener of the configuration on one worker, whether its socket is open or not.
final class ListenerSlot {
  fileprivate(set) var definition: Listener
  fileprivate(set) var security: ListenerContext?
  /// Nil where the address cannot be listened on, and during a drain.
  fileprivate(set) var bound: BoundListener?
  fileprivate(set) var problem: String?

  fileprivate init(_ definition: Listener, security: ListenerContext?) {
    self.definition = definition
    self.security = security
  }
}

/// The listeners of one worker by number.
///
/// A change is prepared, takes effect at once, and is then completed step by step: sockets are opened,
/// and those that are gone take what waits before they close.
final class ListenerTable {
  private unowned let data: DataPlaneWorker
  private let tls: TLSWorker
  private(set) var slots: [ListenerSlot?] = []
  private var staged: [Staged] = []
  private var toOpen: [Int] = []
  /// Gone, but with a socket to close or connections that finish what they have begun.
  private var leaving: [BoundListener] = []
  /// Another process accepts for them; their connections go on until the drain is over.
  private var handedOver: [BoundListener] = []
  /// Of ``leaving``, how many are done but for their connections.
  private var closedCount = 0

  private enum Staged {
    case set(Int, Listener, ListenerContext?, ListenerSecurity?)
    case setSecurity(Int, ListenerContext?, ListenerSecurity)
    case remove(Int)
  }

  init(of data: DataPlaneWorker, tls: TLSWorker) {
    self.data = data
    self.tls = tls
  }

  /// Open sockets, with the numbers of their listeners.
  var open: [BoundListener] { slots.compactMap { $0?.bound } }

  /// Everything with connections.
  var all: [BoundListener] { open + leaving + handedOver }

  // MARK: Changes

  /// Prepares a change: contexts of TLS are made now.
  func stage(_ change: ListenerChange) {
    switch change {
    case .set(let number, let listener, let security):
      staged.append(.set(number, listener, security.flatMap { newContext($0, number) }, security))
    case .setSecurity(let number, let security):
      staged.append(.setSecurity(number, newContext(security, number), security))
    case .remove(let number): staged.append(.remove(number))
    }
  }

  /// Nil where the one that is there will do.
  private func newContext(_ security: ListenerSecurity, _ number: Int) -> ListenerContext? {
    if slot(number)?.security?.revision == security.revision { return nil }
    return ListenerContext(security, number: number, certificates: data.certificates, on: tls)
  }

  private func slot(_ number: Int) -> ListenerSlot? { slots.indices.contains(number) ? slots[number] : nil }

  /// Makes the change take effect, but for opening and closing sockets.
  func flip() {
    if staged.isEmpty { return }
    var released: [BoundListener] = []
    var changed: [Int] = []
    for change in staged {
      switch change {
      case .set(let number, let listener, let context, let security):
        set(number, listener, context, security, &released)
        changed.append(number)
      case .setSecurity(let number, let context, let security):
        setSecurity(number, context, security)
        changed.append(number)
      case .remove(let number):
        if let bound = slot(number)?.bound { released.append(bound) }
        if slots.indices.contains(number) { slots[number] = nil }
      }
    }
    staged = []
    for number in changed {
      guard let slot = slot(number) else { continue }
      // A listener that gets another name or number keeps its socket, and its connections stay.
      if slot.bound == nil, let address = slot.address,
        let index = released.firstIndex(where: { $0.requestedAddress == address })
      {
        slot.bound = released.remove(at: index)
        slot.problem = nil
      }
      slot.bound?.update(slot.definition, number: number, tls: slot.security?.context)
      if slot.bound == nil, !toOpen.contains(number) { toOpen.append(number) }
    }
    for bound in released {
      bound.leave()
      leaving.append(bound)
    }
  }

  private func set(
    _ number: Int, _ listener: Listener, _ context: ListenerContext?, _ security: ListenerSecurity?,
    _ released: inout [BoundListener]
  ) {
    while slots.count <= number { slots.append(nil) }
    guard let slot = slots[number] else {
      slots[number] = ListenerSlot(listener, security: context)
      return
    }
    if let bound = slot.bound, slot.definition.address != listener.address {
      slot.bound = nil
      released.append(bound)
    }
    slot.definition = listener
    slot.problem = nil
    if let security { setSecurity(number, context, security) } else { slot.security = nil }
  }

  private func setSecurity(_ number: Int, _ context: ListenerContext?, _ security: ListenerSecurity) {
    guard let slot = slot(number) else { return }
    if let context { slot.security = context } else { slot.security?.update(security) }
  }

  /// Opens the next socket that is to be opened.
  ///
  /// - Parameter unavailable: by number: why an address cannot be had.
  /// - Returns: false when there is none, or no more during a drain.
  func openNext(_ unavailable: [Int: String]) -> Bool {
    guard let number = toOpen.popLast() else { return false }
    guard !data.isDraining, let slot = slot(number), slot.bound == nil else { return true }
    if let reason = unavailable[number] {
      slot.problem = reason
      return true
    }
    guard let address = slot.address else {
      slot.problem = "\(slot.definition.address.host) is not an IP address"
      return true
    }
    do {
      slot.bound = try BoundListener(
        slot.definition, number: number, address: address, tls: slot.security?.context, data: data)
      slot.problem = nil
    } catch {
      slot.problem = "cannot listen on \(address.description): \(error)"
    }
    return true
  }

  /// Those of some numbers that are not open, and why.
  func failures(among numbers: [Int]) -> [ListenFailure] {
    Set(numbers).sorted().compactMap { number in
      guard let slot = slot(number), let problem = slot.problem else { return nil }
      return ListenFailure(listener: slot.definition.name, reason: problem)
    }
  }

  // MARK: Those that are gone

  /// Goes on closing those that are gone: what waits is taken, then each connection finishes what it has
  /// begun.
  ///
  /// - Returns: false where the slice is over and there is more to do.
  func closeLeaving(_ slice: ChangeSlice) -> Bool {
    while closedCount < leaving.count {
      guard leaving[closedCount].closeInSlices(slice) else { return false }
      closedCount += 1
    }
    removeEmpty()
    return true
  }

  /// The last connection of a listener that is gone has ended.
  func becameEmpty() { removeEmpty() }

  private func removeEmpty() {
    guard closedCount == leaving.count else { return }
    leaving.removeAll { $0.connections.isEmpty }
    closedCount = leaving.count
  }

  /// Forgets those that are gone: all are closed, and without connections.
  func letGo() {
    leaving = []
    handedOver = []
    closedCount = 0
  }

  /// Begins to accept where listeners were held.
  /// - Returns: sockets that could not be opened.
  func startAccepting() -> [ListenFailure] {
    for case let slot? in slots {
      guard let bound = slot.bound else { continue }
      do {
        try bound.startAccepting()
      } catch {
        slot.bound = nil
        slot.problem = "cannot listen on \(bound.requestedAddress.description): \(error)"
      }
    }
    return failures(among: Array(slots.indices))
  }

  /// Closes all sockets at once. What waits is taken, or left to another process.
  func closeAll(_ manner: DrainManner) {
    for slot in slots {
      guard let bound = slot?.bound else { continue }
      slot?.bound = nil
      if manner.leaves(bound.requestedAddress) {
        bound.handOver()
        handedOver.append(bound)
      } else {
        bound.close()
        leaving.append(bound)
      }
    }
  }
}

extension ListenerSlot {
  /// Nil where the host is no IP address.
  var address: SocketAddress? { SocketAddress(ip: definition.address.host, port: definition.address.port) }
}

extension DataPlaneWorker {
  /// Whether a listener is open on this worker, and why not.
  public struct ListenerState: Sendable {
    public var isOpen: Bool
    public var problem: String?
  }

  /// By name.
  public func listenerStates() -> [String: ListenerState] {
    var states: [String: ListenerState] = [:]
    for case let slot? in listeners.slots {
      states[slot.definition.name] = ListenerState(isOpen: slot.bound != nil, problem: slot.problem)
    }
    return states
  }
}
