import HTTPCodec
import Runtime

/// What the access log and the counters want to know of a tunnel when it ends: kept small, so that an
/// idle tunnel holds no exchange.
struct TunnelLog {
  private var record: ExchangeRecord
  private let route: CompiledRoute?
  private let service: UpstreamService?
  private let endpoint: Endpoint?
  private let consumer: WorkerConsumer?
  private let request: RequestHead
  private let head: [UInt8]
  private let requestID: [UInt8]

  init(_ exchange: Exchange) {
    record = exchange.record
    route = exchange.route
    service = exchange.service
    endpoint = exchange.servedBy
    consumer = exchange.consumer
    let isLogged = exchange.data.accessLog != nil
    request = isLogged ? exchange.request : RequestHead()
    head = isLogged ? exchange.input.copy(0..<exchange.request.byteCount) : []
    requestID = isLogged ? exchange.requestID.copy(0..<exchange.requestID.count) : []
  }

  mutating func finish(on data: DataPlaneWorker, received: UInt64, sent: UInt64) {
    record.totalNanoseconds = data.worker.now.nanoseconds(since: record.start)
    record.requestBodyBytes = received
    record.responseBodyBytes = sent
    record.receivedBytes += received
    record.sentBytes += sent
    data.count(record, route: route, service: service)
    guard let log = data.accessLog, !head.isEmpty else { return }
    let routeName = route?.nameBytes ?? []
    let serviceName = service?.nameBytes ?? []
    let address = endpoint?.addressText ?? []
    let consumerName = consumer?.nameBytes ?? []
    log.write(
      record, head: request, bytes: head.span, route: routeName.span, service: serviceName.span,
      endpoint: address.span, requestID: requestID.span, consumer: consumerName.span)
  }
}
