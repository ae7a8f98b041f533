import DataPlane

/// The metrics that have a route for a label.
enum RouteMetrics {
  static func append(_ routes: [RouteFigures], to page: inout PrometheusText) {
    appendRequests(routes, to: &page)
    appendOutcomes(routes, to: &page)
    page.begin(
      "penstock_request_duration_seconds", .histogram,
      "Time from a request's first byte to the last byte of its response.")
    for route in routes { append(route.durations, of: route.route, to: &page) }
    page.begin(
      "penstock_upstream_response_seconds", .histogram,
      "Time from an attempt's begin to the head of the endpoint's response.")
    for route in routes { append(route.responses, of: route.route, to: &page) }
    appendBytes(routes, to: &page)
  }

  private static func appendRequests(_ routes: [RouteFigures], to page: inout PrometheusText) {
    page.begin(
      "penstock_requests_total", .counter, "Requests answered, by route, service and status.")
    for route in routes {
      for item in route.requests {
        page.sample(
          ["route": route.route, "service": item.service, "status": String(item.status)], item.count)
      }
      if route.otherRequests > 0 {
        page.sample(["route": route.route, "service": "_other", "status": "_other"], route.otherRequests)
      }
    }
  }

  private static func appendOutcomes(_ routes: [RouteFigures], to page: inout PrometheusText) {
    page.begin("penstock_exchanges_total", .counter, "Requests by how they ended.")
    for route in routes {
      for outcome in Outcome.allCases where route.count(of: outcome) > 0 {
        page.sample(
          ["route": route.route, "outcome": outcome.name.description], route.count(of: outcome))
      }
    }
  }

  private static func append(_ histogram: Histogram, of route: String, to page: inout PrometheusText) {
    var sum: UInt64 = 0
    for index in 0..<Histogram.boundCount {
      sum += histogram.counts[index]
      let bound = PrometheusText.number(Double(Histogram.bound(index)) / 1e9)
      page.sample(suffix: "_bucket", ["route": route, "le": bound], String(sum))
    }
    let count = String(histogram.count)
    page.sample(suffix: "_bucket", ["route": route, "le": "+Inf"], count)
    page.sample(
      suffix: "_sum", ["route": route], PrometheusText.number(Double(histogram.sumNanoseconds) / 1e9))
    page.sample(suffix: "_count", ["route": route], count)
  }

  private static func appendBytes(_ routes: [RouteFigures], to page: inout PrometheusText) {
    func metric(_ name: String, _ help: String, _ value: (RouteFigures) -> UInt64) {
      page.begin(name, .counter, help)
      for route in routes { page.sample(["route": route.route], value(route)) }
    }
    metric("penstock_request_body_bytes_total", "Content of requests, without framing.") {
      $0.requestBodyBytes
    }
    metric("penstock_response_body_bytes_total", "Content of responses, without framing.") {
      $0.responseBodyBytes
    }
    metric("penstock_received_bytes_total", "Everything read from clients for requests.") {
      $0.receivedBytes
    }
    metric("penstock_sent_bytes_total", "Everything written to clients for requests.") { $0.sentBytes }
  }
}
