// Changes of a picture's pixels, in place: the operations that augmentation is made of. What they give is PIL's, as
// torchvision uses it, within rounding. May throw what OpenCV throws.
#pragma once

#include <cstdint>

namespace graft::image {

// [height, width, 3] RGB; someone else's memory.
struct Pixels {
  uint8_t* data = nullptr;
  int height = 0, width = 0;
};

// Grey is 0.299 red + 0.587 green + 0.114 blue. A factor of 1 changes nothing; values are rounded and cut to 0 .. 255.
void ScaleBrightness(const Pixels& pixels, double factor);  // from black
void ScaleContrast(const Pixels& pixels, double factor);    // from the picture's mean grey
void ScaleSaturation(const Pixels& pixels, double factor);  // from each pixel's grey
// From the picture smoothed by [1 1 1; 1 5 1; 1 1 1] / 13; the outermost pixels stay.
void ScaleSharpness(const Pixels& pixels, double factor);
// By this share of the circle of hues, -0.5 to 0.5.
void TurnHue(const Pixels& pixels, double share);

void KeepHighBits(const Pixels& pixels, int bits);     // 1 .. 8 of each value: posterize
void InvertFrom(const Pixels& pixels, int threshold);  // values of at least this: solarize
void StretchContrast(const Pixels& pixels);            // each channel's least to 0, greatest to 255
void EqualizeHistogram(const Pixels& pixels);          // each channel's

void Mirror(const Pixels& pixels);  // left and right change places

// Pixel (x, y) becomes what was at (xx x + xy y + x0, yx x + yy y + y0), coordinates of pixel centres; bilinear, with
// the picture mirrored at its borders.
struct Affine {
  double xx = 1, xy = 0, x0 = 0;
  double yx = 0, yy = 1, y0 = 0;
};
void Warp(const Pixels& pixels, const Affine& source);
// The map that turns the picture counter-clockwise about its centre and magnifies it.
Affine TurnAndZoom(const Pixels& pixels, double degrees, double zoom);

}  // namespace graft::image
