import Runtime
import TLS

/// A change on its way into a worker's tables.
///
/// Everything is prepared first, in slices, so that no request sees any of it: certificates, services,
/// routes. Then it takes effect, at once: what is prepared says so by a mark that look-ups compare, so
/// that this takes no time however large the change is. Then sockets are opened, the change is reported,
/// and what is gone is taken out, again in slices. The next change begins when this is done.
final class DeltaApplication: SlicedWork {
  private enum Step: Int {
    case listeners, certificates, services, endpoints, health, routes, consumers, effect, sockets
    case settleRoutes, settleServices, settleEndpoints, settleHealth, settleRest, settleCertificates
    case settleConsumers, leaving
  }

  private unowned let data: DataPlaneWorker
  private var delta: Delta
  private let unavailable: [Int: String]
  private let completion: ([ListenFailure]) -> Void
  private var step = Step.listeners
  /// The next entry of the step.
  private var position = 0

  init(
    _ delta: Delta, to data: DataPlaneWorker, unavailable: [Int: String],
    completion: @escaping ([ListenFailure]) -> Void
  ) {
    self.delta = delta
    self.data = data
    self.unavailable = unavailable
    self.completion = completion
  }

  func advance(_ slice: ChangeSlice) -> Bool {
    while perform(slice) {
      guard let following = Step(rawValue: step.rawValue + 1) else {
        data.routes.endChange()
        data.serviceTable.endChange()
        discardDelta()
        return true
      }
      step = following
      position = 0
    }
    return false
  }

  /// Entries above which another thread frees a change.
  private static let freedHereMax = 256

  /// Freeing 100,000 entries takes milliseconds, and may fall to the worker that is done last.
  private func discardDelta() {
    let discarded = delta
    delta = Delta(revision: discarded.revision)
    let count =
      discarded.routes.count + discarded.services.count + discarded.certificates.count
      + discarded.endpoints.count + discarded.consumers.count
    if count > Self.freedHereMax { Task.detached { _ = discarded } }
  }

  /// - Returns: whether the step is done.
  private func perform(_ slice: ChangeSlice) -> Bool {
    switch step {
    case .listeners: each(delta.listeners.count, slice) { data.listeners.stage(delta.listeners[$0]) }
    case .certificates: each(delta.certificates.count, slice) { stage(delta.certificates[$0]) }
    case .services: each(delta.services.count, slice) { data.serviceTable.stage(delta.services[$0]) }
    case .endpoints: each(delta.endpoints.count, slice) { data.serviceTable.stage(delta.endpoints[$0]) }
    case .health: each(delta.health.count, slice) { data.serviceTable.stage(delta.health[$0]) }
    case .routes: each(delta.routes.count, slice) { stage(delta.routes[$0]) }
    case .consumers:
      each(delta.consumers.count, slice) {
        data.consumers.stage(delta.consumers[$0], revision: delta.revision)
      }
    case .effect: takeEffect()
    case .sockets: openSockets(slice)
    case .settleRoutes: each(delta.routes.count, slice) { settle(delta.routes[$0]) }
    case .settleServices:
      each(delta.services.count, slice) { data.serviceTable.settle(number: delta.services[$0].number) }
    case .settleEndpoints:
      each(delta.endpoints.count, slice) { data.serviceTable.settle(number: delta.endpoints[$0].service) }
    case .settleHealth:
      each(delta.health.count, slice) { data.serviceTable.settle(number: delta.health[$0].service) }
    case .settleRest: data.serviceTable.settleRest(slice)
    case .settleCertificates: settleCertificates(slice)
    case .settleConsumers: data.consumers.settle(slice)
    case .leaving: data.listeners.closeLeaving(slice)
    }
  }

  /// Calls `body` with each position of a list from where it stopped, until the slice is over.
  private func each(_ count: Int, _ slice: ChangeSlice, _ body: (Int) -> Void) -> Bool {
    while position < count {
      body(position)
      position += 1
      if slice.isOver() { return position == count }
    }
    return true
  }

  private func stage(_ change: CertificateChange) {
    switch change {
    case .set(let certificate, let listeners): data.certificates.stage(certificate, listeners: listeners)
    case .remove(let name): data.certificates.stageRemoval(name: name)
    }
  }

  private func stage(_ change: RouteChange) {
    switch change {
    case .set(let entry): data.routes.stage(entry)
    case .remove(let number): data.routes.stageRemoval(number: number)
    }
  }

  private func takeEffect() -> Bool {
    let settings = delta.http.map(data.settings(for:))
    data.certificates.flip()
    data.routes.flip()
    data.serviceTable.flip()
    data.listeners.flip()
    data.consumers.flip(revision: delta.revision)
    data.pluginsTakeEffect(delta)
    data.changeTakesEffect(revision: delta.revision, settings: settings)
    return true
  }

  private func openSockets(_ slice: ChangeSlice) -> Bool {
    while data.listeners.openNext(unavailable) {
      if slice.isOver() { return false }
    }
    completion(data.isDraining ? [] : data.listeners.failures(among: delta.listeners.map(\.number)))
    return true
  }

  private func settle(_ change: RouteChange) {
    let number =
      switch change {
      case .set(let entry): entry.number
      case .remove(let number): number
      }
    guard let (gone, successor) = data.routes.settle(number: number) else { return }
    data.routeEnded(gone, successor: successor)
  }

  private func settleCertificates(_ slice: ChangeSlice) -> Bool {
    while data.certificates.settleNext(data.tls.forget) {
      if slice.isOver() { return false }
    }
    return true
  }
}

extension ListenerChange {
  var number: Int {
    switch self {
    case .set(let number, _, _), .setSecurity(let number, _), .remove(let number): number
    }
  }
}

extension ServiceChange {
  var number: Int {
    switch self {
    case .set(let number, _, _, _), .setSecurity(let number, _), .remove(let number): number
    }
  }
}
