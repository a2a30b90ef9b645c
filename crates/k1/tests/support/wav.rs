//! WAV files, whole and broken.

/// A 16-bit WAV file with the same sound in every channel.
pub fn wav(samples: &[f32], rate: u32, channels: u16) -> Vec<u8> {
    let data: Vec<u8> = samples
        .iter()
        .flat_map(|x| ((x.clamp(-1.0, 1.0) * 32_767.0) as i16).to_le_bytes().repeat(usize::from(channels)))
        .collect();
    let mut file = header(1, channels, rate, 16, data.len() as u32);
    file.extend(data);
    file
}

/// The 44 bytes before the samples, with any numbers in them.
pub fn header(format: u16, channels: u16, rate: u32, bits: u16, data_bytes: u32) -> Vec<u8> {
    let frame = channels.wrapping_mul(bits / 8);
    let mut h = Vec::with_capacity(44);
    h.extend(b"RIFF");
    h.extend(data_bytes.wrapping_add(36).to_le_bytes());
    h.extend(b"WAVEfmt ");
    h.extend(16_u32.to_le_bytes());
    h.extend(format.to_le_bytes());
    h.extend(channels.to_le_bytes());
    h.extend(rate.to_le_bytes());
    h.extend(rate.wrapping_mul(u32::from(frame)).to_le_bytes());
    h.extend(frame.to_le_bytes());
    h.extend(bits.to_le_bytes());
    h.extend(b"data");
    h.extend(data_bytes.to_le_bytes());
    h
}
