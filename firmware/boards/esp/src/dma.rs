//! The DMA channels of the strip and the microphone, by chip.

#[cfg(any(feature = "esp32p4", feature = "esp32s31"))]
use esp_hal::peripherals::DMA_AXI_CH0;
#[cfg(not(feature = "esp32s31"))]
use esp_hal::peripherals::DMA_CH0;
#[cfg(any(feature = "esp32c6", feature = "esp32s3"))]
use esp_hal::peripherals::DMA_CH1;

/// DMA channel of the strip.
#[cfg(any(feature = "esp32c6", feature = "esp32s3"))]
pub type StripDma = DMA_CH0<'static>;
/// DMA channel of the strip.
#[cfg(any(feature = "esp32p4", feature = "esp32s31"))]
pub type StripDma = DMA_AXI_CH0<'static>;

/// DMA channel of the microphone.
#[cfg(any(feature = "esp32c6", feature = "esp32s3"))]
pub type MicrophoneDma = DMA_CH1<'static>;
/// DMA channel of the microphone.
#[cfg(feature = "esp32p4")]
pub type MicrophoneDma = DMA_CH0<'static>;
