import HTTPCodec
import Runtime

extension Buffer: ByteSink {}
