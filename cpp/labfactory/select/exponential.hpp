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

// The same for float32, where products and additions are rounded together and the polynomial ends at
// degree 7.
inline constexpr float kLog2ESingle = 0x1.715476p+0F;
inline constexpr float kLn2HighSingle = 0x1.63p-1F;
inline constexpr float kLn2LowSingle = -0x1.bd0106p-13F;
inline constexpr float kRoundSingle = 0x1.8p+23F;
inline constexpr float kLowestSingle = -87.0F;
inline constexpr float kTaylorSingle[8] = {1.0F,         1.0F,          0.5F,          1.0F / 6.0F,
                                           1.0F / 24.0F, 1.0F / 120.0F, 1.0F / 720.0F, 1.0F / 5040.0F};

// erfc(z) = t · exp(-z² + Σ kErfc[k] t^k), t = 1 / (1 + z / 2), z >= 0; relative error 1.2 · 10^-7 (Press et
// al. 1992, Numerical Recipes, erfcc).
inline constexpr float kSqrtHalf = 0x1.6a09e6p-1F;
inline constexpr float kErfc[10] = {-1.26551223F, 1.00002368F,  0.37409196F, 0.09678418F,  -0.18628806F,
                                    0.27886807F,  -1.13520398F, 1.48851587F, -0.82215223F, 0.17087277F};

}  // namespace labfactory::select
