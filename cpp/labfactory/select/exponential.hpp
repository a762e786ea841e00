// The exponential function of selection: constants of one polynomial that every level evaluates in the same
// order. Owner: nothing. Threads: constants.
#pragma once

namespace labfactory::select {

// exp(x) = 2^n · exp(r), n = round(x / ln 2), r = x - n·ln 2 in two parts (Cody and Waite 1980, ch. 6);
// |r| <= ln(2)/2, where the Taylor polynomial of degree 13 is within 2^-57 of exp(r), below half a unit of
// float64. Own code because libm's exp differs between machines and versions, and logged propensities must
// not.
inline constexpr double kLog2E = 0x1.71547652b82fep+0;
inline constexpr double kLn2High = 0x1.62e42fee00000p-1;  // 32 bits of ln 2, so that n·kLn2High is exact
inline constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
inline constexpr double kRound = 0x1.8p+52;  // adding it leaves the nearest integer in the low bits
inline constexpr double kLowest = -700.0;  // below it exp is taken as 0; its result is still a normal number

// 1/0!, 1/1!, …, 1/13!
inline constexpr double kTaylor[14] = {1.0,
                                       1.0,
                                       0.5,
                                       1.0 / 6.0,
                                       1.0 / 24.0,
                                       1.0 / 120.0,
                                       1.0 / 720.0,
                                       1.0 / 5040.0,
                                       1.0 / 40320.0,
                                       1.0 / 362880.0,
                                       1.0 / 3628800.0,
                                       1.0 / 39916800.0,
                                       1.0 / 479001600.0,
                                       1.0 / 6227020800.0};

// The same for float32, to base 2: 2^y = 2^n · 2^f, n = round(y), |f| <= 1/2. y is a product that is never
// rounded: it is fused into n, and into f. Powers of f, fitted at Chebyshev nodes by relative error: below
// 2^-22.5 with all roundings.
inline constexpr float kRoundSingle = 0x1.8p+23F;
inline constexpr float kLeastShifted = kRoundSingle - 125.0F;  // n of -125; below it the power is taken as 0
inline constexpr float kPowers[6] = {1.0F,           0x1.62e426p-1F, 0x1.ebf9b6p-3F,
                                     0x1.c6baaap-5F, 0x1.3cec16p-7F, 0x1.5a8502p-10F};

// erf(x) = x · P(x²) / Q(x²) for |x| <= 4, beyond which it is 1 in float32; absolute error 4.2 · 10^-7. The
// coefficients are those of Eigen's float32 erf.
inline constexpr float kSqrtHalf = 0x1.6a09e6p-1F;
inline constexpr float kErfMost = 4.0F;
inline constexpr float kErfAbove[7] = {-1.60960333262415e-02F, -2.95459980854025e-03F, -7.34990630326855e-04F,
                                       -5.69250639462346e-05F, -2.10102402082508e-06F, 2.77068142495902e-08F,
                                       -2.72614225801306e-10F};
inline constexpr float kErfBelow[5] = {-1.42647390514189e-02F, -7.37332916720468e-03F, -1.68282697438203e-03F,
                                       -2.13374055278905e-04F, -1.45660718464996e-05F};

// The quantile of the normal distribution (Wichura 1988, algorithm AS 241, PPND7): for |p - 1/2| <= 0.425,
// for tails up to 5, and beyond. Coefficients of the numerators and denominators, the constant first.
inline constexpr double kCentral[4] = {3.3871327179, 5.0434271938e1, 1.5929113202e2, 5.9109374720e1};
inline constexpr double kCentralBelow[4] = {1.0, 1.7895169469e1, 7.8757757664e1, 6.7187563600e1};
inline constexpr double kTail[4] = {1.4234372777, 2.7568153900, 1.3067284816, 1.7023821103e-1};
inline constexpr double kTailBelow[3] = {1.0, 7.3700164250e-1, 1.2021132975e-1};
inline constexpr double kFar[4] = {6.6579051150, 3.0812263860, 4.2868294337e-1, 1.7337203997e-2};
inline constexpr double kFarBelow[3] = {1.0, 2.4197894225e-1, 1.2258202635e-2};

// The quantile of 1 - q is at most sqrt(a (w - 1) + b²) - b + 10^-3 for w = -log2 q >= 1, a = 1.845, b
// = 1.01; and of q = n · 2^-32, n a float32 with the bits i, w is at most 159 - i · 2^-23, as log2 m >= m - 1
// in [1, 2].
inline constexpr float kBoundSlope = 1.845F * 0x1p-23F;
inline constexpr float kBoundOrigin = 1.845F * 158.0F + 1.01F * 1.01F;
inline constexpr float kBoundShift = 1.01F - 0.001F;

}  // namespace labfactory::select
